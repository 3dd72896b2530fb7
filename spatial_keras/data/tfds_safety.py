"""What a folder of TensorFlow Datasets would have imported; found before TFDS reads it.

The file features.json of a set names the classes of its features, and TFDS imports the modules that
they are said to be in.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

_FILE, _OWN = "features.json", "tensorflow_datasets."


def check(name: str, data_dir: str | os.PathLike | None) -> None:
    """Raises ValueError if a set on disk has features that are not of TFDS itself.

    Args:
      name: of the set, without configuration and version.
      data_dir: folder of the sets; None is the default of TFDS.
    """
    from tensorflow_datasets.core.utils import file_utils

    for folder in file_utils.list_data_dirs(data_dir):
        for file in pathlib.Path(folder, name).rglob(_FILE):
            for kind in _classes(json.loads(file.read_text(encoding="utf-8"))):
                if not kind.startswith(_OWN):
                    raise ValueError(f"{file} names {kind[:80]}, which is not of TFDS")


def _classes(value: Any) -> Iterator[str]:
    """Yields the names of classes in the JSON of features, at any depth."""
    if isinstance(value, list):
        for part in value:
            yield from _classes(part)
    if not isinstance(value, dict):
        return
    # Protocol buffers take both spellings; before them there was "type".
    keys = ("pythonClassName", "python_class_name", *(["type"] if "content" in value else []))
    for key, part in value.items():
        if key in keys:
            yield str(part)
        elif key == "json" and isinstance(part, str):
            yield from _classes(json.loads(part))
        else:
            yield from _classes(part)
