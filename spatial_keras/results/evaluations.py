"""What an evaluation wrote: its JSON file, and the CSV file with a line for each image."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from spatial_keras.results import paired
from spatial_keras.results.folders import FLAGS_FILE
from spatial_keras.support import files

# The JSON file of an evaluation of a run, within the run's folder.
OF_RUN = "evaluation.json"
# What stands around the columns of the axes.
_BEFORE_AXES, _AFTER_AXES = "survives", "size"


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluated:
    """An evaluation, as it was written.

    Attributes:
      file: the JSON file.
      found: what is in it.
      labels: the classes of the images, by their numbers, [n].
      pair: what it says of each image, to be paired with another.
      smallest: the smallest transformation found that breaks an image, float [n] by the names of
        the axes; NaN where it survives.
    """

    file: pathlib.Path
    found: dict[str, Any]
    labels: tuple[str, ...]
    pair: paired.Evaluated
    smallest: dict[str, np.ndarray]

    @property
    def right(self) -> Mapping[str, np.ndarray]:
        """Of each measure whether the images are right, float [n]."""
        return self.pair.right

    @property
    def run(self) -> pathlib.Path | None:
        """The folder of the run that was evaluated, if it is that of the file."""
        is_there = self.file.name == OF_RUN and (self.file.parent / FLAGS_FILE).exists()
        return self.file.parent if is_there else None


def read(path: pathlib.Path) -> Evaluated:
    """Returns what an evaluation wrote.

    Args:
      path: the JSON file; the CSV file lies beside it.

    Raises:
      ValueError: one of them is not there, or cannot be read.
    """
    with files.failures_in_one_line(f"evaluation '{path}' cannot be read"):
        found = json.loads(files.regular(path).read_text(encoding="utf-8"))
        _check(found)
        rows = paired.read_rows(path)
        names = list(rows[0])
        axes = names[names.index(_BEFORE_AXES) + 1 : names.index(_AFTER_AXES)]
        smallest = {name: _column(rows, name) for name in axes}
        labels = tuple(row["label"] for row in rows)
        paired.check_images(found)
        return Evaluated(path, found, labels, paired.of_rows(path, found, rows), smallest)


def _column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name] or "nan") for row in rows])


def _check(found: Any) -> None:
    """Raises ValueError if what is read is not what an evaluation writes."""
    kinds = {
        "classifier": str, "fingerprint": str, "dataset": str, "verdict": str, "measures": dict,
        "per_class": dict, "notes": list, "flags": dict,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(found, dict) or not isinstance(found.get(name), kind):
            raise ValueError(f"it has no '{name}' of type {kind.__name__}")
    for name, row in found["measures"].items():
        if not all(isinstance(row.get(key), (int, float)) for key in ("accuracy", "low", "high")):
            raise ValueError(f"measure '{name}' has no accuracy")
