"""TensorFlow, imported where it is first used: what only describes does without."""

from __future__ import annotations

import importlib
from typing import Any


class _Module:
    """Stands for a module, and imports it when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


tf = _Module("tensorflow")
