"""The transformation set S: a box of shifts and rotations, drawn from, listed and clipped.

A transformation is t = (tx, ty, rotation): the content moves `tx` pixels to the right and `ty`
pixels down after it has turned `rotation` degrees counter-clockwise about the image's centre.
Parameters are float tensors whose last axis holds these three numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from spatial_keras.support import validation

_DRAW_BITS = 24


@tf.keras.utils.register_keras_serializable("spatial_keras")
@dataclasses.dataclass(frozen=True)
class TransformationSet:
    """The box S of transformations that a classifier shall withstand (paper, section 2).

    The defaults are the paper's for 32x32 images. Any bound may be 0.

    Attributes:
      max_tx: largest shift to either side, in pixels.
      max_ty: largest shift up or down, in pixels.
      max_rotation: largest rotation either way, in degrees, at most 180.

    Raises:
      ValueError: a bound is negative, not finite, or a rotation above 180.
    """

    max_tx: float = 3.0
    max_ty: float = 3.0
    max_rotation: float = 30.0

    def __post_init__(self) -> None:
        validation.check_range("max_tx", self.max_tx, 0)
        validation.check_range("max_ty", self.max_ty, 0)
        validation.check_range("max_rotation", self.max_rotation, 0, 180)

    @classmethod
    def of_size(
        cls, height: int, width: int, share: float = 0.1, max_rotation: float = 30.0
    ) -> TransformationSet:
        """Returns the set whose shifts are a share of the image's size.

        Args:
          height: of the images, in pixels; shifts up and down are up to share * height.
          width: of the images, in pixels; shifts to the sides are up to share * width.
          share: in [0, 1).
          max_rotation: in degrees.
        """
        validation.check_range("share", share, 0, 1, exclusive_high=True)
        return cls(share * width, share * height, max_rotation)

    @property
    def bounds(self) -> np.ndarray:
        """The largest (tx, ty, rotation): float32 [3], in pixels and degrees."""
        return np.array([self.max_tx, self.max_ty, self.max_rotation], np.float32)

    def check_fits(self, height: int, width: int) -> None:
        """Raises ValueError if a shift in S can push the whole image out of the frame."""
        for name, bound, size in (("max_tx", self.max_tx, width), ("max_ty", self.max_ty, height)):
            if bound >= size:
                raise ValueError(
                    f"{name} must be smaller than the image, {size} pixels, got {bound}."
                )

    def sample(
        self, seed: tf.Tensor, shape: Sequence[int | tf.Tensor], whole_pixels: bool = False
    ) -> tf.Tensor:
        """Draws uniformly from S; the same seed gives the same draws, under XLA or not.

        Those of shape [m, ...] are the first of those of shape [n, ...], n > m.

        Args:
          seed: two integers.
          shape: the draws' shape, e.g. [batch] or [batch, k].
          whole_pixels: draw shifts from the integers of their range.

        Returns:
          Parameters, float32 [*shape, 3].
        """
        # Integers, because float draws differ between compiled and plain graphs; and of 24 bits,
        # so that all up to the product with the bounds is exact, however XLA may fuse it.
        shape = tf.concat([tf.cast(tf.stack(shape), tf.int32), [3]], axis=0)
        integers = tf.random.stateless_uniform(
            shape, seed, 0, 1 << _DRAW_BITS, dtype=tf.int32, alg="philox"
        )
        unit = tf.cast(integers, tf.float32) * 2.0**-_DRAW_BITS
        if whole_pixels:
            whole = np.floor(self.bounds[:2])
            shift = tf.floor(unit[..., :2] * (2 * whole + 1)) - whole
            return tf.concat([shift, (unit[..., 2:] * 2 - 1) * self.max_rotation], axis=-1)
        return (unit * 2 - 1) * self.bounds

    def sample_batch(
        self,
        seed: tf.Tensor,
        batch_size: int | tf.Tensor,
        per_image: Sequence[int] = (),
        whole_pixels: bool = False,
    ) -> tf.Tensor:
        """Draws for the images of a batch, of each by its place in the global batch.

        Under tf.distribute a replica's batch is its part of the global batch: the draws of all are
        made, and it takes those of its rows. So an image's draws do not depend on the number of
        replicas, where all have equally many images.

        Args:
          seed: two integers.
          batch_size: the number of images in this replica.
          per_image: the shape of an image's draws, e.g. [k].
          whole_pixels: draw shifts from the integers of their range.

        Returns:
          Parameters, float32 [batch_size, *per_image, 3].
        """
        context = tf.distribute.get_replica_context()
        replicas = 1 if context is None else context.num_replicas_in_sync
        if replicas == 1:
            return self.sample(seed, [batch_size, *per_image], whole_pixels)
        drawn = self.sample(seed, [replicas * batch_size, *per_image], whole_pixels)
        first = context.replica_id_in_sync_group * batch_size
        return tf.gather(drawn, first + tf.range(batch_size))

    def grid(self, num_tx: int = 5, num_ty: int = 5, num_rotation: int = 31) -> np.ndarray:
        """Lists the grid over S; the default is the paper's, 5 x 5 x 31 = 775 points.

        A coordinate with one point, or with bound 0, contributes the single value 0. The grid
        contains the identity if every number of points is odd.

        Returns:
          Parameters, float32 [points, 3], tx slowest and rotation fastest.

        Raises:
          ValueError: a number of points is not a positive integer.
        """
        axes = []
        names = ("num_tx", "num_ty", "num_rotation")
        for name, number, bound in zip(names, (num_tx, num_ty, num_rotation), self.bounds):
            validation.check_integer(name, number, 1)
            single = number == 1 or bound == 0
            axes.append(np.zeros(1) if single else np.linspace(-bound, bound, number))
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)

    def clip(self, parameters: tf.Tensor) -> tf.Tensor:
        """Projects parameters [..., 3] onto the box."""
        parameters = tf.convert_to_tensor(parameters)
        bounds = tf.cast(self.bounds, parameters.dtype)
        return tf.clip_by_value(parameters, -bounds, bounds)

    def get_config(self) -> dict[str, float]:
        """Returns the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, float]) -> TransformationSet:
        """Builds the set from its configuration."""
        return cls(**config)


def projective_rows(
    parameters: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
) -> tf.Tensor:
    """Turns parameters into the rows of ImageProjectiveTransformV3.

    A row [a0 a1 a2 b0 b1 b2 0 0] maps an **output** point to the **input** point that it shows:
    (x, y) -> (a0 x + a1 y + a2, b0 x + b1 y + b2). The output point is first shifted back by
    (tx, ty), then turned back about the centre ((width - 1) / 2, (height - 1) / 2).

    Args:
      parameters: float [..., 3]: tx and ty in pixels, rotation in degrees counter-clockwise.
      height: the image's height in pixels.
      width: the image's width in pixels.

    Returns:
      Rows, [..., 8], in the parameters' dtype.
    """
    tx, ty, degrees = tf.unstack(parameters, axis=-1)
    radians = degrees * (math.pi / 180)
    cos, sin = tf.cos(radians), tf.sin(radians)
    center_x, center_y = ((tf.cast(size, tx.dtype) - 1) / 2 for size in (width, height))
    from_x, from_y = tx + center_x, ty + center_y
    zero = tf.zeros_like(tx)
    return tf.stack(
        [
            cos, -sin, center_x - cos * from_x + sin * from_y,
            sin, cos, center_y - sin * from_x - cos * from_y,
            zero, zero,
        ],
        axis=-1,
    )  # fmt: skip
