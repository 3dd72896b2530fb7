"""Two defenses compared by pairs of runs of the same seed, network and images."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import stats

from spatial_keras.configuration import options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results import bootstrap
from spatial_keras.results.run_results import Results
from spatial_keras.results.variants import OF_S, grouped
from spatial_keras.support import tables

_FLAGS = options.all_flags(RunConfig)
# What runs must have in common to be a pair: images, network and S.
_SHARED = {
    flag.name for flag in _FLAGS if flag.option.group in ("Data", "Network") or flag.name in OF_S
}
# Of a table the columns that are there even if all their cells are the same.
_MEASURES = ("pairs", "natural", "grid", "fewer errors, %", "fewer broken, %")
_Run = tuple[pathlib.Path, Results]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over pairs of runs.

    Attributes:
      mean: in %.
      low: the lower end of its 95% interval; None if there is none.
      high: the upper end.
    """

    mean: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def over_seeds(cls, values: np.ndarray) -> Estimate:
        """Returns the estimate from a value for each pair, its interval by Student's t."""
        mean = float(np.mean(values))
        if len(values) == 1:
            return cls(mean)
        # Pairs that agree to the last digit have an interval of no width.
        error = max(stats.sem(values), np.finfo(float).tiny)
        return cls(mean, *map(float, stats.t.interval(0.95, len(values) - 1, mean, error)))

    def __str__(self) -> str:
        mean = tables.rounded(self.mean, 1, "+")
        if self.low is None or self.high is None:
            return mean
        return f"{mean} ({tables.rounded(self.low, 1)} to {tables.rounded(self.high, 1)})"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """By how much a defense makes fewer errors than another.

    An image is an error on the grid where it is wrong under some transformation. Of the images that
    are right as they are, those that are errors on the grid are broken.

    Attributes:
      baseline: the setting of the runs to compare with.
      defense: that of the others, of the same images, network and S.
      seeds: of the pairs.
      natural: the mean difference of natural accuracy in percentage points.
      grid: that of grid accuracy.
      errors: by how much there are fewer errors on the grid, in % of the baseline's; None where a
        run of the baseline has none.
      broken: by how much fewer of the images that are right as they are are broken, likewise.
    """

    baseline: RunConfig
    defense: RunConfig
    seeds: tuple[int, ...]
    natural: float
    grid: float
    errors: Estimate | None
    broken: Estimate | None


def compare(runs: Mapping[pathlib.Path, Results], baseline: str, defense: str) -> list[Comparison]:
    """Compares two defenses by pairs of runs with the same seed, images, network and S.

    Intervals are over the seeds. That of a single pair is over its test images, if both runs have
    been evaluated image by image (`bootstrap.read`).

    Args:
      runs: results by the run's folder.
      baseline: the name of the defense to compare with.
      defense: the name of the other.

    Returns:
      One for each two settings that have a pair.
    """
    before, after = (_by_setting(runs, name) for name in (baseline, defense))
    found = []
    for first in sorted(before, key=_order):
        for second in sorted(after, key=_order):
            seeds = tuple(sorted(before[first].keys() & after[second].keys()))
            if seeds and all(_text(first, name) == _text(second, name) for name in _SHARED):
                pairs = [[of[seed] for seed in seeds] for of in (before[first], after[second])]
                found.append(Comparison(first, second, seeds, *_measured(*pairs)))
    return found


def _by_setting(
    runs: Mapping[pathlib.Path, Results], defense: str
) -> dict[RunConfig, dict[int, _Run]]:
    """Returns the runs of a defense by setting and seed."""
    chosen = [run for run in runs.items() if run[1].config.defense == defense]
    by_setting = grouped(chosen, lambda run: run[1].setting)
    return {
        setting: {run[1].config.seed: run for run in members}
        for setting, members in by_setting.items()
    }


def _order(setting: RunConfig) -> tuple:
    lambda_ = setting.lambda_ or 0
    return setting.train_images, setting.model, setting.width, setting.steps, lambda_


def _measured(
    before: Sequence[_Run], after: Sequence[_Run]
) -> tuple[float, float, Estimate | None, Estimate | None]:
    """Returns the differences of accuracies, and by how much there are fewer errors and broken."""
    first, second = (_accuracies(of) for of in (before, after))
    natural, grid = map(float, np.mean(second - first, axis=0))
    resampled = None
    if len(before) == 1:
        resampled = bootstrap.accuracies([before[0], after[0]])
    estimates = []
    for share in (_errors, _broken):
        fewer = _fewer(share(first), share(second))
        estimate = None if fewer is None else Estimate.over_seeds(fewer)
        if estimate and resampled is not None:
            fewer = _fewer(share(resampled[0]), share(resampled[1]))
            if fewer is not None:
                estimate = Estimate(estimate.mean, *map(float, np.percentile(fewer, (2.5, 97.5))))
        estimates.append(estimate)
    errors, broken = estimates
    return natural, grid, errors, broken


def _accuracies(runs: Iterable[_Run]) -> np.ndarray:
    """Returns natural and grid accuracy in %, [runs, 2]."""
    return np.array(
        [[results.measure(name) for name in ("natural", "grid")] for _, results in runs]
    )


def _errors(accuracies: np.ndarray) -> np.ndarray:
    return 100 - accuracies[:, 1]


def _broken(accuracies: np.ndarray) -> np.ndarray:
    natural, grid = accuracies.T
    return 1 - np.divide(grid, natural, out=np.ones(len(grid)), where=natural > 0)


def _fewer(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """Returns by how much fewer there are after, in %; None where there were none before."""
    return 100 * (before - after) / before if before.all() else None


def table(
    comparisons: Sequence[Comparison], baseline: str, defense: str
) -> tuple[list[str], list[list[str]]]:
    """Returns comparisons for people: header and rows.

    Flags have a column where their values differ from row to row.
    """
    rows = [_cells(comparison, baseline, defense) for comparison in comparisons]
    always = ("train_images", f"steps of {baseline}", *_MEASURES)
    header = [
        name
        for name in (rows[0] if rows else always)
        if name in always or len({row[name] for row in rows}) > 1
    ]
    return header, [[row[name] for name in header] for row in rows]


def _cells(comparison: Comparison, baseline: str, defense: str) -> dict[str, str]:
    """Returns all there is to say of a comparison, by column."""
    cells = {}
    for flag in _FLAGS:
        if flag.name in _SHARED:
            cells[flag.name] = _text(comparison.baseline, flag.name)
        else:
            cells[f"{flag.name} of {baseline}"] = _text(comparison.baseline, flag.name)
            cells[f"{flag.name} of {defense}"] = _text(comparison.defense, flag.name)
    measures = (
        str(len(comparison.seeds)),
        tables.rounded(comparison.natural, 1, "+"),
        tables.rounded(comparison.grid, 1, "+"),
        str(comparison.errors or "-"),
        str(comparison.broken or "-"),
    )
    return {**cells, **dict(zip(_MEASURES, measures))}


def _text(setting: RunConfig, flag: str) -> str:
    return setting.texts().get(flag, "-")
