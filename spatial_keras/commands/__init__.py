"""The commands: python -m spatial_keras NAME, or python scripts/NAME.py from a clone.

Each module has `Config`, the configuration that its flags describe, and `main`, which does what the
command is for and shows it; its docstring is the head of --help.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from spatial_keras.commands import running
from spatial_keras.support import validation

NAMES = ("train", "evaluate", "table", "tune", "plot", "report")


def run(name: str, arguments: Sequence[str]) -> None:
    """Runs a command; a mistake ends the program with one line and exit code 2.

    Args:
      name: of the command.
      arguments: its flags.
    """
    module = importlib.import_module(f"spatial_keras.commands.{name}")
    running.run(module.main, module.Config, f"{module.__doc__}", arguments)


def run_named(arguments: Sequence[str]) -> None:
    """Runs the command that the first argument names, with the others as its flags."""
    if not arguments or arguments[0] in ("--help", "-h"):
        sys.stdout.write(f"Usage: python -m spatial_keras {{{','.join(NAMES)}}} [--help] ...\n")
        return
    with running.mistakes_refused():
        validation.check_name("command", arguments[0], NAMES)
    run(arguments[0], arguments[1:])
