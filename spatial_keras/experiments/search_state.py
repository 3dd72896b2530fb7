"""What KerasTuner keeps of a search, checked before it reads that.

It makes objects of the classes that its files name, and what a killed process left of a file ends
it with an error of its own.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from spatial_keras.support import files

_CLASSES = frozenset(("Boolean", "Choice", "Fixed", "Float", "Int", "Parent"))


def check(folder: pathlib.Path) -> None:
    """Raises ValueError if a file of a search cannot be read, or names other classes.

    Args:
      folder: of the search, which need not exist.
    """
    for file in (*folder.glob("oracle.json"), *folder.glob("trial_*/trial.json")):
        with files.failures_in_one_line(f"the state of the search in {file} cannot be read"):
            state = json.loads(file.read_bytes())
            if not isinstance(state, dict) or not str(state.get("trial_id", 0)).isdigit():
                raise ValueError("it is not of KerasTuner")
            for found in _objects(state):
                if found["class_name"] not in _CLASSES or found.keys() - {"class_name", "config"}:
                    raise ValueError(f"it names {str(found['class_name'])[:80]}")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yields what names a class in JSON, at any depth."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = value.values()
    elif not isinstance(value, list):
        return
    for part in value:
        yield from _objects(part)
