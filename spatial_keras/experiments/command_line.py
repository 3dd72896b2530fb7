"""Flags from configurations, --help by group, and mistakes in one line with exit code 2."""

from __future__ import annotations

import contextlib
import pathlib
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence

from absl import flags, logging

from spatial_keras.experiments import flagfiles, interruption, options
from spatial_keras.experiments.options import AnyConfig, Config, Flag
from spatial_keras.support import files

_END = "# flags above: "
_ALWAYS_SET = frozenset(
    "dataset model width defense max_rotation max_translation steps batch_size optimizer "
    "learning_rate weight_decay seed xla mixed_precision checkpoint_every log_every".split()
)
_BOOLEAN = re.compile(r"^flag (--\w+)=(.*?): .*$", re.DOTALL)
# What TensorFlow's errors say.
_NO_MEMORY = "OOM when allocating"
_LONGEST = 2000
_HELP = frozenset(("--help", "-h", "--helpshort"))


def define(kind: type[Config], flag_values: flags.FlagValues) -> None:
    """Defines the flags of a configuration."""
    for flag in options.all_flags(kind):
        _define(flag, flag_values)


def _define(flag: Flag, flag_values: flags.FlagValues) -> None:
    about = {"flag_values": flag_values, "module_name": flag.option.group}
    # All but yes or no is parsed and checked by the configuration, which says best what is wrong.
    if flag.kind is bool and not flag.is_tuple:
        flags.DEFINE_boolean(flag.name, flag.default, flag.option.help, **about)
    else:
        flags.DEFINE_string(flag.name, None, flag.option.help, **about)


def parse(kind: type[AnyConfig], arguments: Sequence[str]) -> AnyConfig:
    """Returns the configuration that the arguments of a command line describe.

    Args:
      kind: of the configuration.
      arguments: "--name=value" and "--flagfile=FILE", without the command itself.

    Raises:
      ValueError, TypeError: an argument is not a flag, or its value is not allowed.
    """
    flag_values = flags.FlagValues()
    define(kind, flag_values)
    arguments = flagfiles.expand(arguments)
    if any(re.fullmatch("--?undefok(=.*)?", argument, re.DOTALL) for argument in arguments):
        raise ValueError("Unknown command line flag 'undefok'")  # absl's, which hides mistakes
    try:
        rest = flag_values(["", *arguments])
    except flags.IllegalFlagValueError as error:
        raise ValueError(
            _BOOLEAN.sub(r"\1 must be true or false, got '\2'.", str(error))
        ) from error
    except flags.Error as error:
        raise ValueError(str(error)) from error
    if len(rest) > 1:
        raise ValueError(f"not a flag: {rest[1]}")
    values = {}
    for flag in options.all_flags(kind):
        value = flag_values[flag.name].value
        value = flag.parse(value) if isinstance(value, str) else value
        values[flag.name] = flag.default if value is None else value
    return options.build(kind, values)


def read(kind: type[AnyConfig], file: pathlib.Path, *arguments: str) -> AnyConfig:
    """Returns the configuration of a flagfile, and of further arguments.

    Raises:
      ValueError, TypeError: it cannot be read, or has flags or values that are not allowed.
    """
    try:
        return parse(kind, [f"--flagfile={file}", *arguments])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def flagfile(config: Config) -> str:
    """Returns the recorded flags of a configuration as the text of a flagfile.

    Its last line says how many there are, by which a damaged file is recognized.
    """
    texts = config.texts()
    lines = [f"--{name}={text}" for name, text in texts.items()]
    return "\n".join([*lines, f"{_END}{len(texts)}"]) + "\n"


def names(file: pathlib.Path) -> list[str]:
    """Returns the names of the flags that a flagfile written by `flagfile` sets."""
    return re.findall(r"^--(\w+)=", file.read_text(encoding="utf-8"), re.MULTILINE)


def is_whole(file: pathlib.Path) -> bool:
    """Returns whether a flagfile written by `flagfile` has lost no line.

    One of version 0.1.0 does not say how many it has; it has those that are always set.
    """
    last = file.read_text(encoding="utf-8").splitlines()[-1:]
    found = names(file)
    if last and last[0].startswith(_END):
        return last[0] == f"{_END}{len(found)}"
    return _ALWAYS_SET <= set(found)


def help_text(kind: type[Config]) -> str:
    """Returns the documentation of a configuration's flags, group by group."""
    groups: dict[str, list[str]] = {}
    for flag in options.all_flags(kind):
        default = "" if flag.default is None else f" (default: {flag.text(flag.default)})"
        lines = groups.setdefault(flag.option.group, [])
        lines.append(f"  --{flag.name}: {flag.option.help}{default}")
    about = "Read flags from a file, one a line; flags/... may be one of the package's."
    groups["Flagfiles"] = [f"  --flagfile=FILE: {about}"]
    return "".join(f"\n{group}:\n" + "\n".join(lines) + "\n" for group, lines in groups.items())


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
        sys.stdout.write(f"{about}{help_text(kind)}")
        return
    logging.set_verbosity(logging.WARNING)  # TFDS tells what it does
    with mistakes_refused():
        config = parse(kind, arguments)
    with _ends_in_one_line(), interruption.handled(_max_time(config)):
        main(config)


def _max_time(config: Config) -> str | None:
    return getattr(getattr(config, "run", config), "max_time", None)


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
