"""Finished runs as CSV, a line for each, and defenses compared seed by seed."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from spatial_keras.training import defenses

COLUMNS = (
    "defense", "train_images", "model", "width", "steps", "lambda", "seed", "natural", "random",
    "grid", "train_grid", "test_images", "train_seconds",
)  # fmt: skip
_ACCURACIES = ("natural", "random", "grid", "train_grid")


def line(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what results.json says of a run, by COLUMNS; accuracies in %, None if unknown."""
    flags = results["flags"]
    defense = defenses.get(flags["defense"])
    weight = defense.regularizer_weight if defense.regularizer else None
    accuracies = dict(results["accuracies"])
    accuracies["train_grid"] = results.get("training_accuracies", {}).get("grid")
    found = {name: flags.get(name) for name in ("defense", "model", "width", "seed")}
    found["train_images"] = results.get("train_images", flags.get("train_images"))
    found["lambda"] = flags.get("lambda", weight)
    for name in ("steps", "test_images"):
        found[name] = results.get(name)
    for name in _ACCURACIES:
        value = accuracies.get(name)
        found[name] = None if value is None else 100 * value
    found["train_seconds"] = results["timing"].get("train_seconds")
    return found


def to_csv(runs: Iterable[Mapping[str, Any]]) -> str:
    """Returns a line for each run, by COLUMNS; nothing where there is no number.

    Args:
      runs: what train.py wrote into results.json, of each.
    """
    lines = [line(results) for results in runs]
    lines.sort(key=lambda found: [_order(found[name]) for name in COLUMNS[:7]])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[_text(name, found[name]) for name in COLUMNS] for found in lines])
    return text.getvalue()


def _order(value: Any) -> tuple[float, str]:
    try:
        return float(value), ""
    except (TypeError, ValueError):
        return np.inf, str(value)


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _ACCURACIES:
        return f"{value:.2f}"
    return f"{value:.1f}" if name == "train_seconds" else str(value)


@dataclasses.dataclass(frozen=True)
class Reduction:
    """By how much a defense makes fewer errors on the grid than another, seed by seed.

    Attributes:
      train_images: the number of training images.
      seeds: of the pairs.
      difference: the mean difference of grid accuracy in percentage points.
      mean: the mean of the relative reductions of the grid error, in %.
      low: the lower end of its 95% interval (Student's t over the seeds); None for one seed.
      high: the upper end.
    """

    train_images: int
    seeds: Sequence[int]
    difference: float
    mean: float
    low: float | None
    high: float | None


def reductions(
    runs: Iterable[Mapping[str, Any]], baseline: str, defense: str, steps: int | None = None
) -> list[Reduction]:
    """Compares two defenses by pairs of runs with the same seed and training images.

    Args:
      runs: what train.py wrote into results.json, of each.
      baseline: the name of the defense to compare with.
      defense: the name of the other.
      steps: the baseline's training steps, where there are runs of several.

    Returns:
      One for each number of training images that has a pair, ascending.
    """
    by_number: dict[int, dict[int, dict[str, float]]] = {}
    for found in map(line, runs):
        is_baseline = found["defense"] == baseline
        if is_baseline and steps is not None and int(found["steps"]) != steps:
            continue
        if is_baseline or found["defense"] == defense:
            seeds = by_number.setdefault(int(found["train_images"]), {})
            seeds.setdefault(int(found["seed"]), {})[found["defense"]] = found["grid"]
    made = []
    for number, seeds in sorted(by_number.items()):
        paired = {seed: pair for seed, pair in sorted(seeds.items()) if len(pair) == 2}
        if paired:
            grids = np.array([[pair[baseline], pair[defense]] for pair in paired.values()])
            made.append(_reduction(number, list(paired), *grids.T))
    return made


def _reduction(
    number: int, seeds: Sequence[int], baseline: np.ndarray, other: np.ndarray
) -> Reduction:
    relative = 100 * (other - baseline) / (100 - baseline)
    low = high = None
    if len(seeds) > 1:
        interval = stats.t.interval(
            0.95, len(seeds) - 1, relative.mean(), max(stats.sem(relative), 1e-12)
        )
        low, high = map(float, interval)
    difference = float((other - baseline).mean())
    return Reduction(number, seeds, difference, float(relative.mean()), low, high)
