"""What else a camera does: axes for zoom, shear and tilt out of the plane."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.geometry.axes import Axis, stacked
from spatial_keras.support import validation

# The camera's, from one end of the longer side to the other, in degrees.
FIELD_OF_VIEW = 60.0
# Of what the frame shows, the part nearest to the horizon may be 1 / this times as far as the
# centre: beyond it a pixel is smeared over the whole frame.
_NEAREST_HORIZON = 0.05


@tf.keras.utils.register_keras_serializable("spatial_keras")
class Zoom(Axis):
    """`zoom`: the content grows about the centre, by a factor, symmetric in its logarithm.

    With the bound 1.2 factors are between 1 / 1.2 and 1.2; with 1 there is none but 1.
    """

    name = "zoom"
    unit = "factor"
    noun = "zooms"
    symbol = ""
    points = 3
    identity = 1.0
    least = 1
    order = 6

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        return stacked([[values, 0, 0], [0, values, 0], [0, 0, 1]], values)

    def value_at(self, place: Any) -> Any:
        """Returns the factors at places in [-1, 1]; see `Axis`."""
        return float(self.bound) ** place

    def draw(self, uniform: tf.Tensor, whole_pixels: bool = False) -> tf.Tensor:
        """Returns draws; see `Axis`. Powers are rounded, and shall not leave the range."""
        return self.clip(super().draw(uniform))

    def write(self, value: float) -> str:
        """Returns a factor as people read it, e.g. "x1.20"."""
        return f"x{value:.2f}"

    def amount(self, place: float) -> str:
        """Returns how far a place is from the identity, e.g. "a factor of 1.1"."""
        return f"a factor of {self.value_at(place):.3g}"

    def reach(self, height: int, width: int) -> str:
        """Returns how far values go, e.g. "up to a factor of 1.2"."""
        return f"up to {self.amount(1.0)}"


class _Shear(Axis):
    """What both shears are."""

    unit = "degrees"
    noun = "shears"
    points = 3
    most = 80

    @property
    def symbol(self) -> str:
        """What stands behind a value, e.g. "° shear x"."""
        return f"° {self.name.replace('_', ' ')}"

    def amount(self, place: float) -> str:
        """Returns how far a place is from the identity, e.g. "5 degrees of shear"."""
        return f"{super().amount(place)} of shear"


@tf.keras.utils.register_keras_serializable("spatial_keras")
class ShearX(_Shear):
    """`shear_x`: a point moves to the right by tan(value) times how far it is below the centre."""

    name = "shear_x"
    direction = "to the sides"
    order = 5

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        return stacked([[1, tf.tan(values * (np.pi / 180)), 0], [0, 1, 0], [0, 0, 1]], values)


@tf.keras.utils.register_keras_serializable("spatial_keras")
class ShearY(_Shear):
    """`shear_y`: a point moves down by tan(value) times how far it is right of the centre."""

    name = "shear_y"
    direction = "up and down"
    order = 4

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        return stacked([[1, 0, 0], [tf.tan(values * (np.pi / 180)), 1, 0], [0, 0, 1]], values)


@dataclasses.dataclass(frozen=True)
class _Tilt(Axis):
    """What both turns of the camera out of the plane are.

    Attributes:
      bound: degrees.
      field_of_view: of the camera, from one end of the image's longer side to the other, degrees.
    """

    field_of_view: float = FIELD_OF_VIEW

    unit = "degrees"
    noun = "tilts"
    points = 3
    most = 85

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.check_range(
            "field_of_view", self.field_of_view, 0, 180, exclusive_low=True, exclusive_high=True
        )

    def focal_length(self, height: int | tf.Tensor, width: int | tf.Tensor) -> Any:
        """Returns how far the camera is from the image, in pixels."""
        longer = tf.maximum(height, width) if tf.is_tensor(height) else max(height, width)
        return longer / 2 / math.tan(math.radians(self.field_of_view) / 2)

    @property
    def symbol(self) -> str:
        """What stands behind a value, e.g. "° pitch"."""
        return f"° {self.name}"

    def amount(self, place: float) -> str:
        """Returns how far a place is from the identity, e.g. "5 degrees of tilt"."""
        return f"{super().amount(place)} of tilt"


@tf.keras.utils.register_keras_serializable("spatial_keras")
@dataclasses.dataclass(frozen=True)
class Pitch(_Tilt):
    """`pitch`: the scene turns about the camera's axis to the right, by degrees, right-handed.

    Positive values move the content up: y is down, and forward is the third axis.
    """

    name = "pitch"
    direction = "up and down"
    order = 3

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`; it is K Rx(value) K^-1."""
        focal = tf.cast(self.focal_length(height, width), values.dtype)
        cos, sin = tf.cos(values * (np.pi / 180)), tf.sin(values * (np.pi / 180))
        return stacked([[1, 0, 0], [0, cos, -focal * sin], [0, sin / focal, cos]], values)


@tf.keras.utils.register_keras_serializable("spatial_keras")
@dataclasses.dataclass(frozen=True)
class Yaw(_Tilt):
    """`yaw`: the scene turns about the camera's axis down, by degrees, right-handed.

    Positive values move the content to the right.
    """

    name = "yaw"
    direction = "to the sides"
    order = 2

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`; it is K Ry(value) K^-1."""
        focal = tf.cast(self.focal_length(height, width), values.dtype)
        cos, sin = tf.cos(values * (np.pi / 180)), tf.sin(values * (np.pi / 180))
        return stacked([[cos, 0, focal * sin], [0, 1, 0], [-sin / focal, 0, cos]], values)


def check_horizon(
    pitch: Pitch, yaw: Yaw, shifts: tuple[float, float], rotation: float, height: int, width: int
) -> None:
    """Raises ValueError if a tilt brings the horizon, beyond which nothing is, into the frame.

    Args:
      pitch: with its bound, which may be 0.
      yaw: likewise.
      shifts: the largest to the sides and up and down, in pixels, which move the frame.
      rotation: the largest, in degrees, likewise.
      height: of the images, in pixels.
      width: of the images, in pixels.
    """
    # The frame's corners where the tilt is done: shifted back, and turned by any angle.
    half_x, half_y = (width - 1) / 2 + shifts[0], (height - 1) / 2 + shifts[1]
    turns = np.radians(np.linspace(0, rotation, 181))[:, None] * [1, -1]
    corner_x = np.abs(half_x * np.cos(turns) + half_y * np.sin(turns))
    corner_y = np.abs(half_y * np.cos(turns) - half_x * np.sin(turns))
    focal = pitch.focal_length(height, width)

    def depth(share: float) -> float:
        a, b = np.radians([share * pitch.bound, share * yaw.bound])
        # The third row of (Ry Rx)^-1 at the farthest of these points.
        tilted = np.sin(b) * np.cos(a) * corner_x + np.sin(a) * corner_y
        return float(np.min(np.cos(a) * np.cos(b) - tilted / focal))

    if depth(1) < _NEAREST_HORIZON:
        share = max(s for s in np.linspace(0, 1, 101) if depth(s) >= _NEAREST_HORIZON)
        raise ValueError(
            f"max_pitch {pitch.bound:g} and max_yaw {yaw.bound:g} bring the horizon into images of "
            f"{height} x {width} pixels; {math.floor(share * pitch.bound * 10) / 10:g} and "
            f"{math.floor(share * yaw.bound * 10) / 10:g} degrees do not."
        )
