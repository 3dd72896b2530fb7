"""The transformation set S: a box of what a camera does, drawn from, listed and clipped.

A transformation is t = (tx, ty, rotation): the content moves `tx` pixels to the right and `ty`
pixels down after it has turned `rotation` degrees counter-clockwise about the image's centre.
A set may have further axes, whose values follow, in this order: zoom, shear_x, shear_y, pitch, yaw,
quarter_turns, flip (`camera`), and axes of one's own. The content moves by the product
T(tx, ty) Rot(rotation) P(pitch, yaw) Shear(shear_x, shear_y) Zoom(zoom) Flip Quarter of the axes'
matrices, the rightmost first. Parameters are float tensors with a column for each axis.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.geometry import camera, discrete
from spatial_keras.geometry.axes import Axis, Rotation, ShiftX, ShiftY, deserialize, serialize
from spatial_keras.support import tables, validation

_DRAW_BITS = 24
# Of axes in the paper's set.
_PAPERS = 3


@tf.keras.utils.register_keras_serializable("spatial_keras")
@dataclasses.dataclass(frozen=True)
class TransformationSet:
    """The box S of transformations that a classifier shall withstand (paper, section 2).

    The defaults are the paper's for 32x32 images. Any bound may be 0. Beyond the first three, an
    axis is there where its bound leaves it several values.

    Attributes:
      max_tx: largest shift to either side, in pixels.
      max_ty: largest shift up or down, in pixels.
      max_rotation: largest rotation either way, in degrees, at most 180.
      max_zoom: largest factor, at least 1; the smallest is 1 / max_zoom.
      max_shear_x: largest shear to either side, in degrees.
      max_shear_y: largest shear up or down, in degrees.
      max_pitch: largest tilt of the camera up or down, in degrees.
      max_yaw: largest tilt to either side, in degrees.
      quarter_turns: whether images may turn by 90, 180 and 270 degrees; they are square then.
      flip: whether images may be mirrored.
      field_of_view: of the camera, along the longer side, in degrees.
      own_axes: further axes. Unless their `order` says otherwise they move the content first, the
        last of them before the others.

    Raises:
      TypeError: an axis is none, or quarter_turns or flip neither true nor false.
      ValueError: a bound is too small, too large or not finite; or two axes have the same name.
    """

    max_tx: float = 3.0
    max_ty: float = 3.0
    max_rotation: float = 30.0
    max_zoom: float = 1.0
    max_shear_x: float = 0.0
    max_shear_y: float = 0.0
    max_pitch: float = 0.0
    max_yaw: float = 0.0
    quarter_turns: bool = False
    flip: bool = False
    field_of_view: float = camera.FIELD_OF_VIEW
    own_axes: tuple[Axis, ...] = ()

    def __post_init__(self) -> None:
        for name in ("quarter_turns", "flip"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}.")
        object.__setattr__(self, "own_axes", tuple(self.own_axes))
        for axis in self.own_axes:
            if not isinstance(axis, Axis):
                raise TypeError(f"own_axes must be of Axis, got {axis!r}.")
        names = [axis.name for axis in self.axes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"axes must have names of their own, got '{name}' twice.")

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The axes, in the order of the parameters' columns."""
        paper = ShiftX(self.max_tx), ShiftY(self.max_ty), Rotation(self.max_rotation)
        further = (
            camera.Zoom(self.max_zoom),
            camera.ShearX(self.max_shear_x),
            camera.ShearY(self.max_shear_y),
            *self._tilts,
            discrete.QuarterTurns(3 if self.quarter_turns else 0),
            discrete.Flip(1 if self.flip else 0),
        )
        return (*paper, *(axis for axis in further if axis.moves), *self.own_axes)

    @property
    def _tilts(self) -> tuple[camera.Pitch, camera.Yaw]:
        pitch = camera.Pitch(self.max_pitch, self.field_of_view)
        return pitch, camera.Yaw(self.max_yaw, self.field_of_view)

    @property
    def is_papers(self) -> bool:
        """Whether the axes are tx, ty and rotation alone."""
        return len(self.axes) == _PAPERS

    @classmethod
    def of_size(
        cls,
        height: int,
        width: int,
        share: float = 0.1,
        max_rotation: float = 30.0,
        **further: Any,
    ) -> TransformationSet:
        """Returns the set whose shifts are a share of the image's size.

        Args:
          height: of the images, in pixels; shifts up and down are up to share * height.
          width: of the images, in pixels; shifts to the sides are up to share * width.
          share: in [0, 1).
          max_rotation: in degrees.
          **further: as of the class, e.g. max_zoom=1.2.
        """
        validation.check_range("share", share, 0, 1, exclusive_high=True)
        return cls(share * width, share * height, max_rotation, **further)

    @property
    def names(self) -> tuple[str, ...]:
        """The axes' names."""
        return tuple(axis.name for axis in self.axes)

    @property
    def bounds(self) -> np.ndarray:
        """The axes' bounds, float32 [axes]: tx and ty in pixels, rotation in degrees, ..."""
        return np.array([axis.bound for axis in self.axes], np.float32)

    @property
    def identity(self) -> np.ndarray:
        """The parameters that leave images as they are, float32 [axes]."""
        return np.array([axis.identity for axis in self.axes], np.float32)

    @property
    def default_counts(self) -> tuple[int, ...]:
        """How many points a grid has along each axis by default."""
        return tuple(axis.points for axis in self.axes)

    def check_fits(self, height: int, width: int) -> None:
        """Raises ValueError if a transformation in S makes no sense for images of this size."""
        for axis in self.axes:
            axis.check_fits(height, width)
        if self.max_pitch or self.max_yaw:
            shifts = self.max_tx, self.max_ty
            camera.check_horizon(*self._tilts, shifts, self.max_rotation, height, width)

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
          Parameters, float32 [*shape, axes].
        """
        # Integers, because float draws differ between compiled and plain graphs; and of 24 bits,
        # so that all up to the product with the bounds is exact, however XLA may fuse it.
        shape = tf.concat([tf.cast(tf.stack(shape), tf.int32), [len(self.axes)]], axis=0)
        integers = tf.random.stateless_uniform(
            shape, seed, 0, 1 << _DRAW_BITS, dtype=tf.int32, alg="philox"
        )
        uniform = tf.unstack(tf.cast(integers, tf.float32) * 2.0**-_DRAW_BITS, axis=-1)
        draws = [axis.draw(column, whole_pixels) for axis, column in zip(self.axes, uniform)]
        return tf.stack(draws, axis=-1)

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
          Parameters, float32 [batch_size, *per_image, axes].
        """
        context = tf.distribute.get_replica_context()
        replicas = 1 if context is None else context.num_replicas_in_sync
        if replicas == 1:
            return self.sample(seed, [batch_size, *per_image], whole_pixels)
        drawn = self.sample(seed, [replicas * batch_size, *per_image], whole_pixels)
        first = context.replica_id_in_sync_group * batch_size
        return tf.gather(drawn, first + tf.range(batch_size))

    def grid(self, counts: Sequence[int] | None = None) -> np.ndarray:
        """Lists the grid over S; the default is the paper's, 5 x 5 x 31 = 775 points.

        An axis with one point, or with bound 0, contributes the identity alone. The grid contains
        the identity if every count is odd.

        Args:
          counts: the number of points along each axis; see `default_counts`.

        Returns:
          Parameters, float32 [points, axes], the first axis slowest and the last one fastest.

        Raises:
          TypeError, ValueError: see `check_counts`.
        """
        counts = self.check_counts(counts)
        values = [axis.grid(count) for axis, count in zip(self.axes, counts)]
        points = np.stack(np.meshgrid(*values, indexing="ij"), -1)
        return points.reshape(-1, len(values)).astype(np.float32)

    def check_counts(self, counts: Sequence[int] | None) -> tuple[int, ...]:
        """Returns the numbers of points along the axes, the default ones of None.

        Raises:
          TypeError: one is not an integer.
          ValueError: one is less than 1, or more than an axis has values, or there is not one for
            each axis.
        """
        if counts is None:
            return self.default_counts
        self.check_columns("counts", counts)
        for axis, count in zip(self.axes, counts):
            axis.check_count(count)
        return tuple(counts)

    def check_columns(self, name: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Returns the values as a tuple if there is one for each axis.

        Raises:
          ValueError: they are more or fewer.
        """
        if not isinstance(values, (list, tuple)) or len(values) != len(self.axes):
            raise ValueError(
                f"{name} must be {len(self.axes)}, for {', '.join(self.names)}, got {values!r}."
            )
        return tuple(values)

    def spacing(self, counts: Sequence[int]) -> np.ndarray:
        """Returns the steps of a grid along the axes, float32 [axes].

        Along an axis with one point it is the way to an end.
        """
        steps = [axis.spacing(count) for axis, count in zip(self.axes, counts)]
        return np.array(steps, np.float32)

    def clip(self, parameters: tf.Tensor) -> tf.Tensor:
        """Projects parameters [..., axes] onto S."""
        columns = tf.unstack(tf.convert_to_tensor(parameters), axis=-1)
        return tf.stack([axis.clip(column) for axis, column in zip(self.axes, columns)], axis=-1)

    def caption(self, parameters: Sequence[float]) -> str:
        """Returns a transformation [axes] as people read it, a line for each unit."""
        lines = []
        pairs = zip(self.axes, parameters)
        for symbol, group in itertools.groupby(pairs, lambda pair: pair[0].symbol):
            lines.append(", ".join(axis.write(value) for axis, value in group) + symbol)
        return "\n".join(lines)

    def sizes(self, parameters: np.ndarray) -> np.ndarray:
        """Returns how far transformations [..., axes] go, in units of the bounds, float64 [...].

        It is that along the axis where they go farthest: 1 at the ends, 0 at the identity.
        """
        parameters = np.asarray(parameters, np.float64)
        places = [
            abs(axis.place_of(values))
            for axis, values in zip(self.axes, np.moveaxis(parameters, -1, 0))
            if axis in self._moving
        ]
        # Without the rounding of parameters, which are float32, so that those alike are the same.
        return np.round(np.max([np.zeros(parameters.shape[:-1]), *places], axis=0), 5)

    def words(self, height: int, width: int) -> str:
        """Returns the set as people say it, e.g. "rotations up to 30 degrees and shifts up to ...".

        Args:
          height: of the images, in pixels.
          width: of the images, in pixels.
        """
        axes = self._moving
        reaches = [(axis.noun or axis.name, axis.reach(height, width)) for axis in axes]
        phrases = []
        for axis, (noun, reach) in zip(axes, reaches):
            is_shared = all(other[1] == reach for other in reaches if other[0] == noun)
            direction = "" if is_shared or not axis.direction else f"{axis.direction} "
            phrases.append(f"{noun} {direction}{reach}".strip())
        return tables.listed(dict.fromkeys(phrases)) or "no transformation"

    def amounts(self, place: float) -> str:
        """Returns how far the axes go at a place in [0, 1], e.g. "8 degrees and 0.8 pixels"."""
        return tables.listed(dict.fromkeys(axis.amount(place) for axis in self._moving))

    @property
    def _moving(self) -> list[Axis]:
        """The axes that have several values, those that move the content first before others."""
        moving = [axis for axis in reversed(self.axes) if axis.moves]
        return sorted(moving, key=lambda axis: -axis.order)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values, "own_axes": serialize(self.own_axes)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TransformationSet:
        """Builds the set from its configuration."""
        return cls(**{**config, "own_axes": deserialize(config.get("own_axes", ()))})
