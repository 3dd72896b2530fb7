"""Two defenses compared by pairs of runs that differ in nothing else, seed by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy import stats

from spatial_keras.results import runs_csv


@dataclasses.dataclass(frozen=True, order=True)
class Setting:
    """What runs that differ only in their seed have in common, as far as a line of the CSV says.

    Attributes:
      train_images: the number of training images.
      model: the network's name.
      width: of the network.
      steps: of training.
      weight: of the regularizer, lambda; 0 without one.
    """

    train_images: int
    model: str
    width: float
    steps: int
    weight: float

    @property
    def learner(self) -> tuple[int, str, float]:
        """What two runs must share to be compared: the images and the network."""
        return self.train_images, self.model, self.width


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over pairs of runs.

    Attributes:
      mean: in %.
      low: the lower end of its 95% interval (Student's t over the seeds); None for one pair.
      high: the upper end.
    """

    mean: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: np.ndarray) -> Estimate:
        """Returns the estimate from a value for each pair."""
        mean = float(np.mean(values))
        if len(values) == 1:
            return cls(mean)
        # Pairs that agree to the last digit have an interval of no width.
        error = max(stats.sem(values), np.finfo(float).tiny)
        return cls(mean, *map(float, stats.t.interval(0.95, len(values) - 1, mean, error)))

    def __str__(self) -> str:
        interval = "" if self.low is None else f" ({self.low:.1f} to {self.high:.1f})"
        return f"{self.mean:+.1f}{interval}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """By how much a defense makes fewer errors than another, seed by seed.

    An image is an error on the grid where it is wrong under some transformation. Of the images that
    are right untouched, those that are errors on the grid are broken.

    Attributes:
      baseline: the runs to compare with.
      defense: the others, of the same network on as many images.
      seeds: of the pairs.
      natural: the mean difference of natural accuracy in percentage points.
      grid: that of grid accuracy.
      errors: by how much there are fewer errors on the grid, in % of the baseline's; None where a
        run of the baseline has none.
      broken: by how much fewer of the images that are right untouched are broken, likewise.
    """

    baseline: Setting
    defense: Setting
    seeds: tuple[int, ...]
    natural: float
    grid: float
    errors: Estimate | None
    broken: Estimate | None


def compare(runs: Iterable[Mapping[str, Any]], baseline: str, defense: str) -> list[Comparison]:
    """Compares two defenses by pairs of runs with the same seed, network and training images.

    Args:
      runs: what train.py wrote into results.json, of each.
      baseline: the name of the defense to compare with.
      defense: the name of the other.

    Returns:
      One for each two settings that have a pair.
    """
    lines = [runs_csv.line(results) for results in runs]
    # Older runs do not say both.
    lines = [one for one in lines if None not in (one["train_images"], one["steps"])]
    before, after = (_by_setting(lines, name) for name in (baseline, defense))
    found = []
    for first in sorted(before):
        for second in sorted(after):
            seeds = tuple(sorted(before[first].keys() & after[second].keys()))
            if seeds and first.learner == second.learner:
                pairs = [[of[seed] for seed in seeds] for of in (before[first], after[second])]
                found.append(_comparison(first, second, seeds, *map(np.array, pairs)))
    return found


def _by_setting(
    lines: Iterable[Mapping[str, Any]], defense: str
) -> dict[Setting, dict[int, tuple[float, float]]]:
    """Returns natural and grid accuracy in % by seed."""
    accuracies: dict[Setting, dict[int, tuple[float, float]]] = {}
    for one in lines:
        if one["defense"] == defense:
            setting = Setting(
                int(one["train_images"]),
                one["model"],
                float(one["width"]),
                int(one["steps"]),
                one["lambda"] or 0.0,
            )
            accuracies.setdefault(setting, {})[int(one["seed"])] = one["natural"], one["grid"]
    return accuracies


def _comparison(
    baseline: Setting,
    defense: Setting,
    seeds: tuple[int, ...],
    before: np.ndarray,
    after: np.ndarray,
) -> Comparison:
    natural, grid = map(float, np.mean(after - before, axis=0))
    errors, broken = (_fewer(kind(before), kind(after)) for kind in (_errors, _broken))
    return Comparison(baseline, defense, seeds, natural, grid, errors, broken)


def _errors(accuracies: np.ndarray) -> np.ndarray:
    return 100 - accuracies[:, 1]


def _broken(accuracies: np.ndarray) -> np.ndarray:
    natural, grid = accuracies.T
    return 1 - np.divide(grid, natural, out=np.ones(len(grid)), where=natural > 0)


def _fewer(before: np.ndarray, after: np.ndarray) -> Estimate | None:
    """Returns by how much fewer there are after, in %; None if a run had none before."""
    return Estimate.of(100 * (before - after) / before) if before.all() else None
