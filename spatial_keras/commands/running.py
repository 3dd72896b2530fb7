"""How a command runs: --help, mistakes in one line, ends at which nothing is lost."""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence

from absl import logging

from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.options import AnyConfig, Config
from spatial_keras.experiments import interruption
from spatial_keras.support import files

# What TensorFlow's errors say.
_NO_MEMORY = "OOM when allocating"
_LONGEST = 2000
_HELP = frozenset(("--help", "-h", "--helpshort"))


def run(
    main: Callable[[AnyConfig], None], kind: type[AnyConfig], about: str, arguments: Sequence[str]
) -> None:
    """Calls `main` with the configuration that the arguments describe.

    --help prints the flags and ends the program. A mistake ends it with one line and exit code 2.

    Args:
      main: does what the command is for.
      kind: of the configuration.
      about: the first words of --help.
      arguments: of the command line.
    """
    if _HELP & set(arguments):
        sys.stdout.write(f"{about}{command_line.help_text(kind)}")
        return
    logging.set_verbosity(logging.WARNING)  # TFDS tells what it does
    with mistakes_refused():
        config = command_line.parse(kind, arguments)
    with _ends_in_one_line(), interruption.handled(_max_time(config)):
        main(config)


def _max_time(config: Config) -> float | None:
    text = getattr(getattr(config, "run", config), "max_time", None)
    return None if text is None else options.seconds(text)


@contextlib.contextmanager
def _ends_in_one_line() -> Iterator[None]:
    """Ends the program with one line if it is interrupted, or cannot write or read a file."""
    try:
        yield
    except interruption.InterruptedRunError as end:
        sys.stderr.write(f"{end}. To continue: {_continued()}\n")
        sys.exit(end.code)
    except Exception as error:  # TensorFlow, HDF5 and KerasTuner have errors of their own
        if isinstance(error, MemoryError) or _NO_MEMORY in str(error):
            sys.stderr.write(f"error: not enough memory ({files.one_line(error)}).\n")
            sys.exit(1)
        if not files.system_reason(error):
            raise
        sys.stderr.write(f"error: {_line(error)} To continue: {_continued()}\n")
        sys.exit(1)


def _continued() -> str:
    """Returns the command line that continues where this one ended."""
    line = typed()
    evaluates = any(name in line.split("--")[0] for name in ("evaluate", "evaluate.py"))
    is_complete = {"--resume", "--merge"} & {*sys.argv}
    return f"{line} --resume" if evaluates and not is_complete else line


def typed() -> str:
    """Returns the command line as it was typed, for people to repeat."""
    script = pathlib.Path(sys.argv[0])
    if script.name == "__main__.py":
        return shlex.join(["python", "-m", script.parent.name, *sys.argv[1:]])
    return shlex.join(["python", *sys.argv])


@contextlib.contextmanager
def mistakes_refused() -> Iterator[None]:
    """Ends the program with one line and exit code 2 at a ValueError or TypeError within."""
    try:
        yield
    except (ValueError, TypeError) as error:
        sys.stderr.write(f"error: {_line(error)}\n")
        sys.exit(2)


def _line(error: Exception) -> str:
    """Returns an error's message as one line without control characters, of bearable length."""
    text = " ".join(files.message(error).split())
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
