"""Outcome: what one evaluation found, image by image, with its accuracy and confidence interval."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from spatial_keras.support import files


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """The result of one evaluation on n images.

    Attributes:
      name: "natural", "random", "worst_of_k", "gradient", "grid" or "attack".
      right: whether each image counts as right: bool [n]; for random accuracy the fraction of its
        draws, float [n].
      transformations: of those tried, the one of smallest margin for each image, float32
        [n, axes], a column for each axis of S: pixels and degrees.
      margins: the margin there (the label's logit minus the largest other one), float32 [n].
      passes: how many images went through the network, with or without a gradient.
      seconds: the time it took.
      source: a hash of the classifier, the images and all else that margins depend on.
    """

    name: str
    right: np.ndarray
    transformations: np.ndarray
    margins: np.ndarray
    passes: int
    seconds: float
    source: str

    @property
    def accuracy(self) -> float:
        """The mean of `right`, in [0, 1]."""
        return float(np.mean(self.right))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of the accuracy, over draws of the n images."""
        return confidence_interval(self.right)

    def save(self, file: pathlib.Path) -> None:
        """Writes all to a file, whole or not at all."""
        files.write_arrays(file, **{k: np.asarray(v) for k, v in vars(self).items()})

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.name}: {self.accuracy:.1%} ({low:.1%} to {high:.1%}), "
            f"{self.passes:,} passes, {self.seconds:.1f} s"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class GridOutcome(Outcome):
    """The result of a grid evaluation.

    An image that a point breaks is not tried further, so that `transformations` and `margins` are
    the worst of the whole grid for the surviving images only.

    Attributes:
      damaging: for each image the points of smallest margin found, worst first, float32
        [n, 1 to 5, axes].
      spacing: the grid's steps along the axes, float32 [axes]; the way to an end where there is
        but one point.
      exhaustive: how many passes an evaluation without pruning takes.
    """

    damaging: np.ndarray
    spacing: np.ndarray
    exhaustive: int


def restore(file: pathlib.Path, number: int) -> Outcome | None:
    """Returns the outcome that was saved; None if it is not there, or is damaged.

    Args:
      file: that it was saved to.
      number: how many images it is of.
    """
    try:
        with np.load(file) as arrays:
            values = {k: v.item() if v.ndim == 0 else v for k, v in arrays.items()}
        values.setdefault("source", "")  # of before outcomes had one
        found = (GridOutcome if "damaging" in values else Outcome)(**values)
        is_whole = len(found.right) == len(found.transformations) == number
        is_whole &= bool(np.isfinite(found.margins).all())
    except Exception:  # a damaged file raises all kinds
        return None
    return found if is_whole else None


def join(parts: Sequence[Outcome], places: Sequence[np.ndarray]) -> Outcome:
    """Returns the outcome on all images, of those on parts of them; passes and seconds add up.

    Args:
      parts: outcomes of one evaluation. The source of the whole stays empty.
      places: of each part, which of all images it is of, int [n].
    """
    first, order = parts[0], np.argsort(np.concatenate(places))
    changes: dict[str, Any] = {"source": ""}
    for field in dataclasses.fields(first):
        values = [getattr(part, field.name) for part in parts]
        if field.name in ("right", "transformations", "margins", "damaging"):
            changes[field.name] = np.concatenate(values)[order]
        elif field.name in ("passes", "seconds", "exhaustive"):
            changes[field.name] = sum(values)
    return dataclasses.replace(first, **changes)


def confidence_interval(right: np.ndarray) -> tuple[float, float]:
    """Returns the 95% confidence interval of a mean over images.

    It is Wilson's for right or wrong, which stays within [0, 1] and holds for few images; for
    fractions it is the normal approximation.

    Args:
      right: bool, or fractions in [0, 1], [n].
    """
    values = np.asarray(right, np.float64)
    number = len(values)
    if np.isin(values, (0, 1)).all():
        count = int(np.sum(values))
        low, high = stats.binomtest(count, number).proportion_ci(0.95, method="wilson")
        return float(low), float(high)
    if number == 1:
        return 0.0, 1.0
    mean = float(np.mean(values))
    half = float(stats.norm.ppf(0.975) * stats.sem(values))
    return max(mean - half, 0.0), min(mean + half, 1.0)
