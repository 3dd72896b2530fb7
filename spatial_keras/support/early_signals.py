"""Ctrl-C and SIGTERM while a command still imports TensorFlow: one line; imported before it.

Once the command runs, `experiments.interruption` takes over.
"""

from __future__ import annotations

import os
import pathlib
import signal
import sys

_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"


def prepare() -> None:
    """Has signals end the process at once, if it is one of a command."""
    if is_command():
        for number in _SIGNALS:
            signal.signal(number, _end)


def is_command() -> bool:
    """Returns whether this process is python -m spatial_keras, or a script of the clone."""
    first = sys.argv[:1]
    # Python's name for what it runs while it imports the package of `python -m spatial_keras`.
    if first == ["-m"]:
        return "spatial_keras" in getattr(sys, "orig_argv", ["spatial_keras"])
    return bool(first) and pathlib.Path(first[0]).absolute().parent == _SCRIPTS


def _end(number: int, frame: object) -> None:
    # There is nothing to lose yet, and what is being imported may hold an exception back.
    os.write(2, f"{_SIGNALS[signal.Signals(number)]}.\n".encode())
    os._exit(128 + number)


prepare()
