"""The names of what only computes, of layers, functions and operations; all else is refused."""

from __future__ import annotations

import functools
import pathlib


@functools.cache
def names(of: str) -> frozenset[str]:
    """Returns the names of what is harmless.

    Args:
      of: "layers", of Keras; "functions", which Keras 2.15 makes layers of; or "operations", of
        TensorFlow.
    """
    file = pathlib.Path(__file__).with_name(f"{of}.txt")
    return frozenset(file.read_text(encoding="utf-8").split())
