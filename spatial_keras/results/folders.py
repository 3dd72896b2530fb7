"""The results of finished runs in their folders."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.results.run_results import Results
from spatial_keras.support import files

FLAGS_FILE, RESULTS_FILE = "run.flags", "results.json"


class DamagedResultsError(ValueError):
    """What a finished run wrote cannot be read, or cannot be true."""


@dataclasses.dataclass(frozen=True)
class Runs:
    """The runs in a folder.

    Attributes:
      finished: results by the run's folder.
      unfinished: folders of the runs without results.
      damaged: of each run whose results cannot be read, or cannot be true, a line that says why.
    """

    finished: dict[pathlib.Path, Results]
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
            results = read(file.parent)
        except DamagedResultsError as error:
            runs.damaged.append(str(error).removesuffix("."))
            continue
        if results is None:
            runs.unfinished.append(file.parent)
        else:
            runs.finished[file.parent] = results
    return runs


def read(folder: pathlib.Path) -> Results | None:
    """Returns the results of the finished run in a folder; None if there is none.

    Raises:
      DamagedResultsError: they cannot be read, or cannot be true.
    """
    file = folder / RESULTS_FILE
    if not file.exists():
        return None
    try:
        return Results.from_json(files.regular(file).read_bytes())
    except (ValueError, TypeError, OSError) as error:
        raise DamagedResultsError(
            f"the results in {folder} cannot be read: {files.one_line(error)}"
        ) from error


def finished(folder: pathlib.Path) -> Results | None:
    """Returns the results of the run in a folder; None if it has none that can be read."""
    try:
        return read(folder)
    except DamagedResultsError:
        return None
