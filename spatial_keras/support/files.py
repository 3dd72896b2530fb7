"""Files written whole or not at all, under a temporary name; failed reading in one line."""

from __future__ import annotations

import contextlib
import os
import pathlib
import textwrap
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def failures_in_one_line(what: str) -> Iterator[None]:
    """Turns whatever goes wrong while a file is read into a ValueError of one line.

    Libraries that read files raise what they like at damaged ones.

    Args:
      what: the beginning of the line, e.g. "model 'x.keras' cannot be read".
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what} ({one_line(error)}).") from error


def one_line(error: Exception) -> str:
    """Returns an error's message, or else its type, as one line of at most 200 characters."""
    text = str(error).strip() or type(error).__name__
    return textwrap.shorten(text, 200, placeholder=" ...")
