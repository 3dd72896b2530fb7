"""Finished runs as CSV, a line for each."""

from __future__ import annotations

import csv
import io
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from spatial_keras.results import folders, variants

COLUMNS = (
    "defense", "train_images", "model", "width", "steps", "lambda", "seed", "natural", "random",
    "grid", "train_grid", "test_images", "train_seconds",
)  # fmt: skip
_ACCURACIES = ("natural", "random", "grid", "train_grid")


def line(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what results.json says of a run, by COLUMNS; accuracies in %, None if unknown."""
    flags = results["flags"]
    accuracies = dict(results["accuracies"])
    accuracies["train_grid"] = results.get("training_accuracies", {}).get("grid")
    found = {name: variants.flag(flags, name) for name in ("defense", "model", "width", "seed")}
    found["train_images"] = results.get("train_images", flags.get("train_images"))
    found["lambda"] = variants.regularizer_weight(flags)
    for name in ("steps", "test_images"):
        found[name] = results.get(name)
    for name in _ACCURACIES:
        value = accuracies.get(name)
        found[name] = None if value is None else 100 * value
    found["train_seconds"] = results["timing"].get("train_seconds")
    return found


def to_csv(finished: Iterable[Mapping[str, Any]]) -> str:
    """Returns a line for each run, by COLUMNS; nothing where there is no number.

    Args:
      finished: what train.py wrote into results.json, of each.
    """
    lines = [line(results) for results in finished]
    lines.sort(key=lambda found: [_order(found[name]) for name in COLUMNS[:7]])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[_text(name, found[name]) for name in COLUMNS] for found in lines])
    return text.getvalue()


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the runs in a CSV file that `to_csv` made: of results.json what it says of each.

    Raises:
      ValueError: the file cannot be read, is another one, or has numbers that cannot be true.
    """
    try:
        lines = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
        found = [_results(one) for one in lines]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        columns = ",".join(COLUMNS)
        raise ValueError(f"'{path}' is no CSV file of runs, with columns {columns}.") from error
    for number, results in enumerate(found, start=2):
        if fault := folders.fault_of(results) or folders.fault_of_flags(results["flags"]):
            raise ValueError(f"the results in line {number} of '{path}' {fault.rstrip('.')}.")
    return found


def _results(one: Mapping[str, str]) -> dict[str, Any]:
    given = {name: one[name] for name in COLUMNS if one[name]}
    accuracies = {name: float(given[name]) / 100 for name in _ACCURACIES if name in given}
    of_training = {"grid": accuracies.pop("train_grid")} if "train_grid" in accuracies else {}
    seconds = {name: float(given[name]) for name in ("train_seconds",) if name in given}
    counts = ("train_images", "steps", "test_images")
    return {
        "flags": {name: given[name] for name in COLUMNS[:7] if name in given},
        "accuracies": accuracies,
        "training_accuracies": of_training,
        "timing": seconds,
        **{name: int(given[name]) for name in counts if name in given},
    }


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
