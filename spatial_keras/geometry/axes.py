"""Axes: the coordinates of a transformation, one small class for each.

An axis knows its name, its unit, its values and what they do to an image. Nothing else in the
library does: a class of one's own is drawn, listed in grids, searched along, written and plotted
like those here, once it is among the `own_axes` of a `TransformationSet`.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from spatial_keras.support import validation

# Of a unit, how it stands behind a value.
_SYMBOLS = {"pixels": " px", "degrees": "°"}
# Between which a value's place is interpolated, the identity's among them.
_PLACES = 2001


@dataclasses.dataclass(frozen=True)
class Axis(abc.ABC):
    """One coordinate of the transformations in S, a column of their parameters.

    A continuous axis has the identity in the middle of its values, between two ends. A class of
    one's own says its `name`, its `unit` and its `matrix`; the rest may stay as it is. To be saved
    with a model it is registered as any class with Keras.

    Attributes:
      bound: how far values go, in the axis's unit; at 0 the axis has one value only.
      name: of the column; also in files, e.g. "tx".
      unit: of the values, e.g. "pixels", "degrees".
      points: the number of points in a grid by default.
      identity: the value that leaves images as they are.
      least: the smallest bound allowed.
      most: the largest bound allowed, if there is one.
      order: the place in the product of the axes' matrices: of a higher one the content moves
        first, of equal ones that of the later column.
      noun: what the transformations are called, in the plural, e.g. "rotations"; the name by
        default. Axes of one noun, which reach equally far, are said once.
      direction: what tells the axis from another one of the same noun, e.g. "to the sides".
    """

    bound: float

    name: ClassVar[str]
    unit: ClassVar[str]
    points: ClassVar[int] = 5
    identity: ClassVar[float] = 0.0
    least: ClassVar[float] = 0
    most: ClassVar[float | None] = None
    order: ClassVar[int] = 9  # after those of the library, of which the last is 8
    noun: ClassVar[str] = ""
    direction: ClassVar[str] = ""

    def __post_init__(self) -> None:
        validation.check_range(f"max_{self.name}", self.bound, self.least, self.most)

    @abc.abstractmethod
    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """Returns how values move the content of images: matrices [..., 3, 3] (see `stacked`).

        They are of points (x, y, 1) in pixels from the image's centre, x to the right, y down.

        Args:
          values: of this axis, [...].
          height: of the images, in pixels.
          width: of the images, in pixels.
        """

    def value_at(self, place: Any) -> Any:
        """Returns the values at places in [-1, 1] between the ends, the identity at 0.

        Args:
          place: numbers, an array or a tensor.
        """
        return place * np.float32(self.bound)  # as all parameters are

    def place_of(self, values: np.ndarray) -> np.ndarray:
        """Returns the places in [-1, 1] of values, those that `value_at` gives them."""
        places = np.linspace(-1, 1, _PLACES)
        return np.interp(values, self.value_at(places), places)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest value and the largest."""
        return float(self.value_at(-1.0)), float(self.value_at(1.0))

    def draw(self, uniform: tf.Tensor, whole_pixels: bool = False) -> tf.Tensor:
        """Returns draws, of uniform ones from [0, 1).

        Args:
          uniform: float [...].
          whole_pixels: draw from the integers in range, if the unit is pixels.
        """
        if whole_pixels and self.unit == "pixels":
            whole = np.floor(np.float32(self.bound))
            return tf.floor(uniform * (2 * whole + 1)) - whole
        return self.value_at(uniform * 2 - 1)

    def grid(self, number: int) -> np.ndarray:
        """Returns so many values, evenly spaced from end to end, float64.

        Of an odd number the middle one is exactly the identity; one point is the identity, also
        where the bound leaves no other value.
        """
        low, high = self.ends
        if number == 1 or low == high:
            return np.full(1, self.identity)
        places = np.linspace(-1, 1, number)
        if number % 2:
            places[number // 2] = 0
        return self.value_at(places)

    def spacing(self, number: int) -> float:
        """Returns the gap between so many points; of a single one the way to an end."""
        low, high = self.ends
        return (high - low) / (number - 1 if number > 1 else 2)

    def clip(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the nearest values between the ends."""
        return tf.clip_by_value(values, *self.ends)

    @property
    def moves(self) -> bool:
        """Whether there are several values."""
        low, high = self.ends
        return low < high

    def check_count(self, count: int) -> None:
        """Raises TypeError or ValueError if a grid cannot have so many points along the axis."""
        validation.check_integer(f"number of points in {self.name}", count, 1)

    def check_fits(self, height: int, width: int) -> None:  # noqa: B027 - most fit any image
        """Raises ValueError if the bound is too large for images of this size; by default none."""

    @property
    def label(self) -> str:
        """The name with the unit, as on the axis of a figure, e.g. "tx, pixels"."""
        return f"{self.name}, {self.unit}"

    @property
    def symbol(self) -> str:
        """What stands behind a value, e.g. " px"."""
        return _SYMBOLS.get(self.unit, "")

    def write(self, value: float) -> str:
        """Returns a value as people read it, without the symbol."""
        return f"{value:+.1f}"

    def amount(self, place: float) -> str:
        """Returns how far a place in [0, 1] between the identity and the end is, e.g. "8 degrees".

        It stands after "up to".
        """
        return f"{self.value_at(place):.2g} {self.unit}"

    def reach(self, height: int, width: int) -> str:
        """Returns how far values go for images of this size, e.g. "up to 3 of 32 pixels"."""
        return f"up to {self.bound:.4g} {self.unit}"

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Axis:
        """Builds the axis from its configuration."""
        return cls(**config)


def serialize(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Returns axes as their names and configurations."""
    return [tf.keras.utils.serialize_keras_object(axis) for axis in axes]


def deserialize(configs: Sequence[dict[str, Any]]) -> tuple[Axis, ...]:
    """Returns the axes that were serialized."""
    return tuple(tf.keras.utils.deserialize_keras_object(config) for config in configs)


def stacked(rows: Sequence[Sequence[float | tf.Tensor]], values: tf.Tensor) -> tf.Tensor:
    """Returns matrices [..., 3, 3].

    Args:
      rows: the nine elements, numbers or tensors like `values`.
      values: float [...].
    """
    like = tf.zeros_like(values)
    return tf.stack([tf.stack([element + like for element in row], -1) for row in rows], -2)


@tf.keras.utils.register_keras_serializable("spatial_keras")
class ShiftX(Axis):
    """`tx`: the content moves to the right, by pixels."""

    name = "tx"
    order = 0
    unit = "pixels"
    noun = "shifts"
    direction = "to the sides"

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        return stacked([[1, 0, values], [0, 1, 0], [0, 0, 1]], values)

    def check_fits(self, height: int, width: int) -> None:
        """Raises ValueError if a shift can push the whole image out of the frame."""
        _check_shift(self, width)

    def reach(self, height: int, width: int) -> str:
        """Returns how far values go for images of this size, e.g. "up to 3 of 32 pixels"."""
        return f"up to {self.bound:.4g} of {width} pixels"


@tf.keras.utils.register_keras_serializable("spatial_keras")
class ShiftY(Axis):
    """`ty`: the content moves down, by pixels."""

    name = "ty"
    order = 0
    unit = "pixels"
    noun = "shifts"
    direction = "up and down"

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        return stacked([[1, 0, 0], [0, 1, values], [0, 0, 1]], values)

    def check_fits(self, height: int, width: int) -> None:
        """Raises ValueError if a shift can push the whole image out of the frame."""
        _check_shift(self, height)

    def reach(self, height: int, width: int) -> str:
        """Returns how far values go for images of this size, e.g. "up to 3 of 32 pixels"."""
        return f"up to {self.bound:.4g} of {height} pixels"


def _check_shift(axis: Axis, size: int) -> None:
    if axis.bound >= size:
        raise ValueError(
            f"max_{axis.name} must be smaller than the image, {size} pixels, got {axis.bound}."
        )


@tf.keras.utils.register_keras_serializable("spatial_keras")
class Rotation(Axis):
    """`rotation`: the content turns counter-clockwise about the centre, by degrees."""

    name = "rotation"
    order = 1
    unit = "degrees"
    noun = "rotations"
    points = 31
    most = 180

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        radians = values * (np.pi / 180)
        cos, sin = tf.cos(radians), tf.sin(radians)
        return stacked([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], values)

    def write(self, value: float) -> str:
        """Returns a value as people read it, without the symbol."""
        return f"{value:+.0f}"
