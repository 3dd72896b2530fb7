"""Outcome: what one evaluation found, image by image, with its accuracy and confidence interval."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_keras.evaluation import image_table
from spatial_keras.evaluation.intervals import confidence_interval
from spatial_keras.evaluation.sample import Sample
from spatial_keras.support import files

# What an outcome holds of each image.
_PER_IMAGE = ("right", "transformations", "margins", "predictions", "damaging", "along", "natural")


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """The result of one evaluation on n images.

    Attributes:
      name: "natural", "random", "worst_of_k", "gradient", "grid", "attack" or "profile".
      right: whether each image counts as right: bool [n]; for random accuracy the fraction of its
        draws, float [n].
      transformations: of those tried, the one of smallest margin for each image, float32
        [n, axes], a column for each axis of S: pixels and degrees.
      margins: the margin there (the label's logit minus the largest other one), float32 [n].
      predictions: the class numbers predicted there, int32 [n].
      passes: how many images went through the network, with or without a gradient, until it was
        decided; what a broken image is taken for is one more.
      seconds: the time it took.
      source: a hash of the classifier, the images and all else that margins depend on.
      sample: the images.
    """

    name: str
    right: np.ndarray
    transformations: np.ndarray
    margins: np.ndarray
    predictions: np.ndarray
    passes: int
    seconds: float
    source: str
    sample: Sample

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
        found = {name: np.asarray(value) for name, value in vars(self).items() if name != "sample"}
        files.write_arrays(file, **found)

    def table(self) -> dict[str, np.ndarray]:
        """Returns columns, a row for each image and the worst first, as for pandas.DataFrame.

        See `Report.table`, which knows more: it is of all outcomes.
        """
        return image_table.columns([self])

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
      counts: the grid's points along the axes, int [axes].
      exhaustive: how many passes an evaluation without pruning takes.
    """

    damaging: np.ndarray
    counts: np.ndarray
    exhaustive: int


@dataclasses.dataclass(frozen=True, eq=False)
class Profile(Outcome):
    """Where within S the images break that are right as they are, of the points of a grid.

    `right` is that of the grid; `transformations` are the smallest that break the images, in units
    of the bounds, the identity where none does or that is wrong already.

    Attributes:
      natural: which images are right as they are, of those that were looked at, bool [n].
      along: whether an image is right at a value of an axis whatever the others, bool [n, values],
        the values of the first axis first.
      counts: the grid's points along the axes, int [axes].
    """

    natural: np.ndarray
    along: np.ndarray
    counts: np.ndarray

    @property
    def half(self) -> float | None:
        """The size at which half of those images are broken that are at all; None if none is."""
        broken = self.natural & ~self.right.astype(bool)
        sizes = self.sample.transformations.sizes(self.transformations[broken])
        return float(np.quantile(sizes, 0.5, method="inverted_cdf")) if broken.any() else None

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """Returns of the images right as they are the shares still right along each axis.

        Returns:
          Of each axis that has several values, by its name: "values" in its unit, and "right", the
          share that is right at each whatever the values of the others.
        """
        shares = self.along[self.natural].mean(axis=0) if self.natural.any() else None
        table, start = {}, 0
        for axis, count in zip(self.sample.transformations.axes, self.counts):
            values = axis.grid(int(count))
            if len(values) > 1 and shares is not None:
                right = shares[start : start + len(values)]
                table[axis.name] = {"values": values.tolist(), "right": right.tolist()}
            start += len(values)
        return table


_KINDS = {"damaging": GridOutcome, "along": Profile}


def restore(file: pathlib.Path, sample: Sample) -> Outcome | None:
    """Returns the outcome that was saved; None if it is not there, or is damaged.

    Args:
      file: that it was saved to.
      sample: the images that it is of.
    """
    try:
        with np.load(file) as arrays:
            values = {k: v.item() if v.ndim == 0 else v for k, v in arrays.items()}
        kind = next((kind for name, kind in _KINDS.items() if name in values), Outcome)
        found = kind(**values, sample=sample)
        is_whole = len(found.right) == len(found.transformations) == sample.number
        is_whole &= bool(np.isfinite(found.margins).all())
    except Exception:  # a damaged file raises all kinds
        return None
    return found if is_whole else None


def join(parts: Sequence[Outcome], places: Sequence[np.ndarray], sample: Sample) -> Outcome:
    """Returns the outcome on all images, of those on parts of them; passes and seconds add up.

    Args:
      parts: outcomes of one evaluation. The source of the whole stays empty.
      places: of each part, which of all images it is of, int [n].
      sample: all images.
    """
    first, order = parts[0], np.argsort(np.concatenate(places))
    changes: dict[str, Any] = {"source": "", "sample": sample}
    for field in dataclasses.fields(first):
        values = [getattr(part, field.name) for part in parts]
        if field.name in _PER_IMAGE:
            changes[field.name] = np.concatenate(values)[order]
        elif field.name in ("passes", "seconds", "exhaustive"):
            changes[field.name] = sum(values)
    return dataclasses.replace(first, **changes)
