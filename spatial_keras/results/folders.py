"""The results of finished runs in folders."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from spatial_keras.configuration import options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.training import defenses

FLAGS_FILE, RESULTS_FILE = "run.flags", "results.json"
# Version 0.1.0 did not write all of it.
_OPTIONAL = ("training_accuracies", "versions")


class DamagedResultsError(ValueError):
    """What a finished run wrote cannot be read, or cannot be true."""


def read(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the results of the finished run in a folder; None if there is none.

    Raises:
      DamagedResultsError: they cannot be read, are not whole, or cannot be true.
    """
    file = path / RESULTS_FILE
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_bytes())
        fault = fault_of(found)
    except (ValueError, RecursionError, OSError) as error:
        fault = f"cannot be read: {' '.join(str(error).split())[:100]}"
    if fault:
        raise DamagedResultsError(f"the results in {path} {fault}")
    return found


def finished(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the results of the run in a folder; None if it has none that can be read."""
    try:
        return read(path)
    except DamagedResultsError:
        return None


def fault_of(results: Any) -> str | None:
    """Returns what is wrong with results, or None."""
    if not isinstance(results, dict):
        return "are not those of a run"
    for name in ("accuracies", "flags", "timing"):
        if not isinstance(results.get(name), dict):
            return f"have no '{name}'"
    for name in _OPTIONAL:
        if not isinstance(results.get(name, {}), dict):
            return f"have something else for '{name}'"
    for name in ("natural", "random", "grid"):
        if name not in results["accuracies"]:
            return f"have no {name} accuracy"
    return _wrong_value(results)


def _wrong_value(results: dict[str, Any]) -> str | None:
    trained, versions = (results.get(name, {}) for name in _OPTIONAL)
    shares = [*results["accuracies"].values(), *trained.values()]
    for value in shares:
        if not (_is_number(value) and 0 <= value <= 1):
            return f"have an accuracy of {value}"
    for name, value in results["timing"].items():
        # A difference of times falls below 0 where other programs run.
        low = -sys.float_info.max if name == "seconds_per_gradient" else 0
        if value is not None and not (_is_number(value) and low <= value < math.inf):
            return f"have {value} for {name}"
    if not all(isinstance(text, str) for text in {**results["flags"], **versions}.values()):
        return "have flags that are no texts"
    for name in ("steps", "train_images", "test_images"):
        count = results.get(name, 1)
        if not (_is_number(count) and isinstance(count, int) and count > 0):
            return f"are of {count} {name.replace('_', ' ')}"
    return None


def _is_number(value: Any) -> bool:
    # JSON's integers have no end, and what reads them takes numbers for floats.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value < 2**63


@dataclasses.dataclass(frozen=True)
class Runs:
    """The runs in a folder.

    Attributes:
      finished: results by the run's folder.
      unfinished: folders of the runs without results.
      damaged: of each run whose results cannot be read, or cannot be true, a line that says why.
    """

    finished: dict[pathlib.Path, dict[str, Any]]
    unfinished: list[pathlib.Path]
    damaged: list[str]


def find(folder: pathlib.Path) -> Runs:
    """Returns the runs in a folder, at any depth.

    Raises:
      ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"--runs: there is no folder '{folder}'.")
    runs = Runs({}, [], [])
    for file in sorted(folder.rglob(FLAGS_FILE)):
        try:
            results = _results(file.parent)
        except ValueError as error:
            runs.damaged.append(str(error).removesuffix("."))
            continue
        if results is None:
            runs.unfinished.append(file.parent)
        else:
            runs.finished[file.parent] = results
    return runs


def _results(folder: pathlib.Path) -> dict[str, Any] | None:
    """Returns the results of a run, None if it has not finished; ValueError if damaged."""
    results = read(folder)
    if results is None:
        return None
    if fault := fault_of_flags(results["flags"]):
        raise ValueError(f"the results in {folder} {fault}")
    return results


def fault_of_flags(values: Mapping[str, str]) -> str | None:
    """Returns what is wrong with the flags in results.json, or None.

    Args:
      values: name -> text.
    """
    try:
        defenses.get(values.get("defense", ""))
        for one in options.all_flags(RunConfig):
            if one.name in values and one.kind is not bool:
                one.check(one.parse(values[one.name]))
    except (ValueError, TypeError) as error:
        return f"have other flags than a run: {error}"
    return None
