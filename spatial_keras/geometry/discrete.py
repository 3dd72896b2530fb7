"""Axes of a few values: quarter turns and flips, which move pixels exactly."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.geometry.axes import Axis
from spatial_keras.support import validation


class DiscreteAxis(Axis):
    """An axis of a few values, 0 (the identity), 1, ... up to its bound; it has no gradient.

    A class of one's own says `matrices`.
    """

    @property
    @abc.abstractmethod
    def matrices(self) -> np.ndarray:
        """What each value does to the content, [values, 3, 3]; see `matrix`."""

    def matrix(
        self, values: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
    ) -> tf.Tensor:
        """See `Axis`."""
        number = tf.cast(tf.round(values), tf.int32)
        return tf.gather(tf.constant(self.matrices, values.dtype), number)

    @property
    def points(self) -> int:  # type: ignore[override]  # of an axis, not of its class
        """The number of values, all of them."""
        return int(self.bound) + 1

    @property
    def ends(self) -> tuple[float, float]:
        """The identity and the last value."""
        return 0.0, float(self.bound)

    def value_at(self, place: Any) -> Any:
        """Returns the identity inside of (-1, 1), where no other value is; see `Axis`."""
        return np.where(np.abs(place) < 1, self.identity, self.bound)

    def place_of(self, values: np.ndarray) -> np.ndarray:
        """Returns 1 for all values but the identity, which is at 0."""
        return np.where(np.asarray(values) == self.identity, 0.0, 1.0)

    def draw(self, uniform: tf.Tensor, whole_pixels: bool = False) -> tf.Tensor:
        """Returns draws, each value equally often; see `Axis`."""
        return tf.minimum(tf.floor(uniform * self.points), float(self.bound))

    def grid(self, number: int) -> np.ndarray:
        """Returns the first so many values, float64."""
        return np.arange(min(number, self.points), dtype=np.float64)

    def check_count(self, count: int) -> None:
        """Raises ValueError if there are not so many values."""
        validation.check_integer(f"number of points in {self.name}", count, 1, self.points)

    def spacing(self, number: int) -> float:
        """Returns 0: nothing is between the values, and ascents stay where they start."""
        return 0.0

    def clip(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the nearest values."""
        return tf.round(super().clip(values))

    def write(self, value: float) -> str:
        """Returns a value as people read it."""
        return f"{value:.0f}"

    def amount(self, place: float) -> str:
        """Returns whether a place has other values than the identity, e.g. "no flips"."""
        return f"{'all' if place >= 1 else 'no'} {self.noun or self.name}"

    def reach(self, height: int, width: int) -> str:
        """Returns nothing: all values are reached."""
        return ""


@tf.keras.utils.register_keras_serializable("spatial_keras")
class QuarterTurns(DiscreteAxis):
    """`quarter_turns`: the content turns counter-clockwise by 90 degrees so often, 0 to 3 times."""

    name = "quarter_turns"
    unit = "turns of 90 degrees"
    noun = "quarter turns"
    symbol = " quarter turns"
    most = 3
    order = 8

    @property
    def matrices(self) -> np.ndarray:
        """See `DiscreteAxis`; of whole numbers, so that pixels move exactly."""
        turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        return np.stack([np.linalg.matrix_power(turn, n) for n in range(self.points)])

    def check_fits(self, height: int, width: int) -> None:
        """Raises ValueError if images are not square."""
        if height != width:
            raise ValueError(
                f"quarter_turns needs images that are square, got {height} x {width} pixels."
            )


@tf.keras.utils.register_keras_serializable("spatial_keras")
class Flip(DiscreteAxis):
    """`flip`: the content is mirrored, left to right, where the value is 1."""

    name = "flip"
    unit = "0 or 1"
    noun = "flips"
    symbol = ""
    most = 1
    order = 7

    @property
    def matrices(self) -> np.ndarray:
        """See `DiscreteAxis`."""
        return np.stack([np.eye(3), np.diag([-1.0, 1, 1])])[: self.points]

    def write(self, value: float) -> str:
        """Returns a value as people read it."""
        return "flipped" if value else "not flipped"
