"""Files that are written whole or not at all: under a temporary name, then renamed."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np


def write(path: pathlib.Path, write_to: Callable[[pathlib.Path], Any]) -> None:
    """Has `write_to(temporary)` write a file, then gives it its name.

    Args:
      path: the file.
      write_to: writes to the path it is given, which ends like `path`.
    """
    # Two processes may write the same file at once.
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    write_to(temporary)
    os.replace(temporary, path)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_arrays(path: pathlib.Path, **arrays: np.ndarray) -> None:
    """Writes arrays to an `.npz` file."""
    write(path, lambda temporary: np.savez(temporary, **arrays))
