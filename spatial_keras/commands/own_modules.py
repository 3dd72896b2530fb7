"""--import=MODULE: code of the user's own, which adds searches, regularizers or methods."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

_FLAGS = ("--import", "-import")


def load(flags: Sequence[str]) -> list[str]:
    """Imports the modules that --import names, and returns the other flags.

    It is code, so only what is typed counts: in a file, which others may have written, the flag is
    refused (`flagfiles`). A module may lie in the working directory.

    Args:
      flags: as typed, such as ["--import=my_module", "--defense=near3_kl"].

    Raises:
      ValueError: there is no such module, or it fails.
    """
    others: list[str] = []
    rest = iter(flags)
    for flag in rest:
        name, equals, value = flag.partition("=")
        if name not in _FLAGS:
            others.append(flag)
            continue
        for module in (value if equals else next(rest, "")).split(","):
            _import(module)
    return others


def _import(name: str) -> None:
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        raise ValueError(f"--import must be a module's name, such as my_module, got '{name}'.")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # behind all that is installed
    try:
        importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"--import: no module '{name}' here or installed.") from error
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"line {place.lineno} of {place.filename}"
        raise ValueError(f"--import={name}: {type(error).__name__}: {error} ({where})") from error
