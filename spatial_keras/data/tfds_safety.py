"""What a folder of TensorFlow Datasets has TFDS import and read; found before TFDS reads it.

The file features.json of a set names the classes of its features, and TFDS imports the modules that
they are said to be in.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from spatial_keras.support import files

_OWN = "tensorflow_datasets.core.features."
# In the folder of a set: .config/FILE, VERSION/FILE and CONFIGURATION/VERSION/FILE.
_PLACES = ("*", "*/*", "*/*/*")


def check(name: str, data_dir: str | os.PathLike | None) -> None:
    """Raises ValueError if a set on disk has features that are not of TFDS, or strange files.

    Args:
      name: of the set, without configuration and version.
      data_dir: folder of the sets; None is the default of TFDS.
    """
    from tensorflow_datasets.core.utils import file_utils

    for folder in file_utils.list_data_dirs(data_dir):
        # Unlike "**", these also see what is behind links, as TFDS does.
        for file in (file for place in _PLACES for file in pathlib.Path(folder, name).glob(place)):
            if not file.is_dir() and "tfrecord" not in file.name:
                _check_file(file)


def _check_file(file: pathlib.Path) -> None:
    files.regular(file)
    content = json.loads(file.read_bytes()) if file.suffix == ".json" else None
    for kind in _classes(content):
        if not kind.startswith(_OWN):
            raise ValueError(f"{file} names {kind[:80]}, which is not of TFDS")
    # A path would lead TFDS out of the folder.
    default = content.get("default_config_name") if isinstance(content, dict) else None
    if default and not re.fullmatch(r"\w[\w.-]*", default):
        raise ValueError(f"{file} names the configuration '{default[:80]}'")


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
