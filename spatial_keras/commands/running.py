"""How a command runs: its flags, TensorFlow without its log, every end in one line."""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from spatial_keras.commands import own_modules
from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.options import Config
from spatial_keras.experiments import interruption
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.support import environment, files

# What TensorFlow's errors say.
_NO_MEMORY = "OOM when allocating"
_LONGEST = 2000
_OF_FILES = (OSError, RecursionError, UnicodeError)


def run(load: Callable[[], ModuleType], kind: type[Config], arguments: Sequence[str]) -> None:
    """Runs a command with the configuration that its flags describe.

    A mistake ends the program with one line and exit code 2; a signal, a file that cannot be read
    or written and too little memory with one line that says how to continue.

    Args:
      load: imports the module whose `main` does what the command is for.
      kind: of the configuration.
      arguments: the flags.
    """
    with interruption.handled():
        with interruption.at_once(), environment.quiet_tensorflow():
            with mistakes_refused(OSError):
                config = command_line.parse(kind, own_modules.load(arguments))
            main = load().main
            from absl import logging  # loaded by TensorFlow

            logging.set_verbosity(logging.WARNING)  # TFDS tells what it does
        with _ends_in_one_line(config):
            interruption.allow(_seconds(config))
            main(config)


def _seconds(config: Config) -> float | None:
    text = options.values(config).get("max_time")
    return None if text is None else options.seconds(text)


@contextlib.contextmanager
def _ends_in_one_line(config: Config) -> Iterator[None]:
    """Ends the program with one line if it is interrupted, or cannot write or read a file."""
    try:
        yield
    except interruption.InterruptedRunError as end:
        sys.stderr.write(f"{end}.{_to_continue(config)}\n")
        sys.exit(end.code)
    except Exception as error:  # TensorFlow, HDF5 and KerasTuner have errors of their own
        if isinstance(error, MemoryError) or _NO_MEMORY in str(error):
            sys.stderr.write(f"error: not enough memory ({files.one_line(error)}).\n")
        elif isinstance(error, DivergedError):
            sys.stderr.write(f"error: {_line(error)}\n")
        elif isinstance(error, _OF_FILES) or files.system_reason(error):
            sys.stderr.write(f"error: {_line(error)}{_to_continue(config)}\n")
        else:
            raise
        sys.exit(1)


def _to_continue(config: Config) -> str:
    command = config.to_continue(typed())
    return "" if command is None else f" To continue: {command}"


def show(*shown: Any) -> None:
    """Shows tables, and lines of text without what a terminal would obey."""
    from rich.console import Console  # not for --help

    console = Console()
    for each in shown:
        each = files.presentable(each) if isinstance(each, str) else each
        console.print(each, soft_wrap=isinstance(each, str), markup=False)


def say(line: object) -> None:
    """Writes a line beside the results, likewise."""
    sys.stderr.write(f"{files.presentable(str(line))}\n")


def typed() -> str:
    """Returns the command line as it was typed, for people to repeat."""
    script = pathlib.Path(sys.argv[0])
    if script.name == "__main__.py":
        return shlex.join(["python", "-m", script.parent.name, *sys.argv[1:]])
    if script.suffix == ".py":
        return shlex.join(["python", *sys.argv])
    return shlex.join([script.name, *sys.argv[1:]])


@contextlib.contextmanager
def mistakes_refused(*others: type[Exception]) -> Iterator[None]:
    """Ends the program with one line and exit code 2 at a ValueError or TypeError within.

    Args:
      *others: errors that are mistakes of the user here, too.
    """
    mistakes: tuple[type[Exception], ...] = (ValueError, TypeError, RecursionError, *others)
    try:
        yield
    except mistakes as error:
        sys.stderr.write(f"error: {_line(error)}\n")
        sys.exit(2)


def _line(error: Exception) -> str:
    """Returns an error's message as one line without control characters, of bearable length."""
    text = files.presentable(" ".join(files.message(error).split()))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
