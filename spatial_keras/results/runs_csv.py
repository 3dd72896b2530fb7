"""Finished runs as CSV, a line for each."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping

from spatial_keras.configuration import options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results.run_results import Accuracies, Results, Timing
from spatial_keras.support import files, tables

_FLAGS = ("defense", "train_images", "model", "width", "steps", "lambda", "mixed_precision", "seed")
_ACCURACIES = ("natural", "random", "grid")
COLUMNS = (*_FLAGS, *_ACCURACIES, "train_grid", "test_images", "train_seconds", "machine")


def to_csv(runs: Iterable[Results]) -> str:
    """Returns a line for each run; accuracies in %, nothing where there is no number."""
    numbers = ("train_images", "width", "steps", "lambda", "seed")

    def order(row: Mapping[str, str]) -> list:
        return [float(row[name] or 0) if name in numbers else row[name] for name in _FLAGS]

    rows = sorted(map(_row, runs), key=order)
    return tables.to_csv(COLUMNS, [row.values() for row in rows])


def _row(results: Results) -> dict[str, str]:
    found = dict.fromkeys(COLUMNS, "")
    texts = results.setting.texts()
    found.update({name: texts[name] for name in _FLAGS if name in texts})
    found["seed"] = str(results.config.seed)
    trained = results.training_accuracies or Accuracies()
    shares = {**results.accuracies.measured, "train_grid": trained.grid}
    for name, share in shares.items():
        found[name] = "" if share is None else tables.rounded(100 * share, 2)
    found["test_images"] = str(results.accuracies.images)
    seconds = results.timing.train_seconds
    found["train_seconds"] = "" if seconds is None else tables.rounded(seconds, 1)
    found["machine"] = results.versions.get("machine", "")
    return found


def read(path: pathlib.Path) -> list[Results]:
    """Returns the runs in a CSV file that `to_csv` made; what it does not say is the default.

    Raises:
      ValueError: the file cannot be read, is another one, or has numbers that cannot be true.
    """
    try:
        rows = tables.from_csv(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"'{path}' cannot be read: {files.one_line(error)}.") from error
    if not rows or set(rows[0]) != set(COLUMNS):
        raise ValueError(f"'{path}' is no CSV file of runs, with columns {','.join(COLUMNS)}.")
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_results(row))
        except (ValueError, TypeError) as error:
            raise ValueError(f"line {number} of '{path}': {error}") from error
    return found


def _results(row: Mapping[str, str]) -> Results:
    shares = {name: float(row[name]) / 100 for name in _ACCURACIES if row[name]}
    trained = Accuracies(grid=float(row["train_grid"]) / 100) if row["train_grid"] else None
    return Results(
        options.from_texts(RunConfig, {name: row[name] for name in _FLAGS if row[name]}),
        Accuracies(**shares, images=int(row["test_images"])),
        int(row["train_images"]),
        trained,
        Timing(float(row["train_seconds"]) if row["train_seconds"] else None),
        versions={"machine": row["machine"]} if row["machine"] else {},
    )
