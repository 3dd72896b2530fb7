"""Coordinates that turn a transformation into a shift, and the layers that warp along them.

A point is (x, y) in pixels about the image's centre: x to the right, y down. A transformer warps
points, not images: matrices are multiplied, and the image is read once at the end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.geometry import sampling
from spatial_keras.support import validation

COORDINATES = ("cartesian", "polar", "log_polar")
# The parameters of each kind of transformation, in the order of a pose.
POSES = {
    "translation": ("x", "y"),
    "rotation": ("angle",),
    "rotation_scale": ("angle", "log_scale"),
    "rigid": ("x", "y", "angle"),
    "affine6": ("xx", "xy", "x", "yx", "yy", "y"),
}
# Log-polar radii end at the image's corner and begin at a tenth of half a square's side.
LOG_RADII = math.log(10 * math.sqrt(2))


def grid(coordinates: str, height: int, width: int, size: tuple[int, int] | None) -> np.ndarray:
    """Lists the points of a canonical image.

    "cartesian": columns go to the right and rows down, over the image. "polar": rows are angles
    counter-clockwise from -180 degrees + half a step, without their end, so that the first row
    follows the last as any row follows the one before; columns are radii from 0 to the corner.
    "log_polar": the same with radii in equal ratios, which turns a scaling into a shift.

    Args:
      coordinates: the kind of coordinates.
      height: the image's height in pixels.
      width: the image's width in pixels.
      size: (rows, columns) of the canonical image. None: the image's own; for polar coordinates,
        with m the longer side, 2m angles and m radii.

    Returns:
      Points (x, y) in pixels about the centre, float64 [rows, columns, 2].
    """
    half_width, half_height = (width - 1) / 2, (height - 1) / 2
    if coordinates == "cartesian":
        rows, columns = size or (height, width)
        x, y = np.meshgrid(
            np.linspace(-half_width, half_width, columns),
            np.linspace(-half_height, half_height, rows),
        )
        return np.stack([x, y], axis=-1)
    rows, columns = size or (2 * max(height, width), max(height, width))
    corner = math.hypot(half_width, half_height)
    if coordinates == "polar":
        radii = np.linspace(0, corner, columns)
    else:
        radii = corner * np.exp(np.linspace(-LOG_RADII, 0, columns))
    angles = -np.pi + 2 * np.pi * (np.arange(rows)[:, None] + 0.5) / rows
    return np.stack([radii * np.cos(angles), -radii * np.sin(angles)], axis=-1)


@tf.keras.utils.register_keras_serializable("spatial_keras")
class GridSampler(tf.keras.layers.Layer):
    """Reads images bilinearly along coordinates, after a transformation of the points.

    Reading an image at transformed points undoes the transformation. Outside the image is 0.

    Call arguments:
      images: [batch, height, width, channels]; height, width and channels static.
      matrices: a `TransformMatrix`'s output, [batch, 3, 3]; none leaves the points in place.

    Output: the canonical images, [batch, *size, channels].

    Args:
      coordinates: "cartesian", "polar" or "log_polar"; see `grid`.
      size: (rows, columns) of the canonical images; None takes it from the images', see `grid`.
      dtype: float32 also under mixed precision; or "float64".

    Raises:
      ValueError: unknown coordinates, or a size that is not two positive integers.
    """

    def __init__(
        self,
        coordinates: str = "cartesian",
        size: tuple[int, int] | None = None,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.coordinates = validation.check_name("coordinates", coordinates, COORDINATES)
        if size is not None:
            if not isinstance(size, (list, tuple)) or len(size) != 2:
                raise ValueError(f"size must be two, rows and columns, got {size!r}.")
            rows, columns = (validation.check_integer("size", number, 1) for number in size)
            size = rows, columns
        self.size = size

    def build(self, input_shape: Any) -> None:
        """Computes the points from the images' shape."""
        height, width = tuple(input_shape)[1:3]
        self._points = grid(self.coordinates, height, width, self.size)
        self._center = ((width - 1) / 2, (height - 1) / 2)
        super().build(input_shape)

    def call(self, images: tf.Tensor, matrices: tf.Tensor | None = None) -> tf.Tensor:
        """Samples; see the class."""
        if matrices is None:
            matrices = tf.eye(3, batch_shape=[tf.shape(images)[0]], dtype=images.dtype)
        x, y = tf.unstack(tf.constant(self._points, images.dtype), axis=-1)
        # By elements: a matrix product would round to TF32 on a GPU.
        xx, xy, x0, yx, yy, y0 = tf.unstack(
            tf.reshape(matrices, [-1, 9])[:, :6, None, None], axis=1
        )
        center_x, center_y = self._center
        return sampling.bilinear(
            images, xx * x + xy * y + (x0 + center_x), yx * x + yy * y + (y0 + center_y)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "coordinates": self.coordinates, "size": self.size}


@tf.keras.utils.register_keras_serializable("spatial_keras")
class TransformMatrix(tf.keras.layers.Layer):
    """The 3x3 matrix that moves points as a pose moves the image's content.

    Parameters of a pose, in the order of its kind: "translation" (x, y); "rotation" (angle);
    "rotation_scale" (angle, log_scale); "rigid" (x, y, angle), which turns about the centre and
    then shifts, as T(x, t) does with t = (tx, ty, rotation); "affine6", the upper two rows of the
    matrix. Shifts are in pixels to the right and down, angles in degrees counter-clockwise,
    log_scale is the natural logarithm of a factor.

    Call arguments:
      pose: [batch, parameters].
      previous: the matrices to compose with, [batch, 3, 3]; they act after the new ones.

    Output: previous times the pose's matrices, [batch, 3, 3].

    Args:
      kind: the kind of transformation.
      dtype: float32 also under mixed precision; or "float64".

    Raises:
      ValueError: an unknown kind.
    """

    def __init__(self, kind: str, dtype: Any = "float32", **kwargs: Any) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.kind = validation.check_name("kind of transformation", kind, POSES)

    def call(self, pose: tf.Tensor, previous: tf.Tensor | None = None) -> tf.Tensor:
        """Composes; see the class."""
        values = dict(zip(POSES[self.kind], tf.unstack(pose, axis=-1)))
        zero, one = tf.zeros_like(pose[:, 0]), tf.ones_like(pose[:, 0])
        if self.kind != "affine6":
            radians = values.get("angle", zero) * (math.pi / 180)
            scale = tf.exp(values.get("log_scale", zero))
            values["xx"] = values["yy"] = scale * tf.cos(radians)
            values["xy"], values["yx"] = scale * tf.sin(radians), -scale * tf.sin(radians)
        elements = [values.get(name, zero) for name in POSES["affine6"]] + [zero, zero, one]
        matrices = tf.reshape(tf.stack(elements, axis=-1), [-1, 3, 3])
        if previous is None:
            return matrices
        return tf.reduce_sum(previous[:, :, :, None] * matrices[:, None], axis=2)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "kind": self.kind}
