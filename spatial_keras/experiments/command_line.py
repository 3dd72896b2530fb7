"""Flags from configurations, --help by group, and mistakes in one line with exit code 2."""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence

from absl import flags

from spatial_keras.experiments import flagfiles, options
from spatial_keras.experiments.options import AnyConfig, Config, Flag

_HELP = frozenset(("--help", "-h", "--helpshort"))


def define(kind: type[Config], flag_values: flags.FlagValues) -> None:
    """Defines the flags of a configuration."""
    for flag in options.all_flags(kind):
        _define(flag, flag_values)


def _define(flag: Flag, flag_values: flags.FlagValues) -> None:
    about = {"flag_values": flag_values, "module_name": flag.option.group}
    if flag.is_tuple:
        default = None if flag.default is None else flag.text(flag.default)
        flags.DEFINE_string(flag.name, default, flag.option.help, **about)
    elif flag.option.choices:
        flags.DEFINE_enum(flag.name, flag.default, flag.option.choices, flag.option.help, **about)
    else:
        kinds = {
            str: flags.DEFINE_string,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            bool: flags.DEFINE_boolean,
        }
        kinds[flag.kind](flag.name, flag.default, flag.option.help, **about)


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
    try:
        rest = flag_values(["", *flagfiles.expand(arguments)])
    except flags.Error as error:
        raise ValueError(str(error)) from error
    if len(rest) > 1:
        raise ValueError(f"not a flag: {rest[1]}")
    values = {}
    for flag in options.all_flags(kind):
        value = flag_values[flag.name].value
        values[flag.name] = flag.parse(value) if flag.is_tuple and value is not None else value
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
    """Returns the recorded flags of a configuration as the text of a flagfile."""
    return "".join(f"--{name}={text}\n" for name, text in config.texts().items())


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
    with mistakes_refused():
        config = parse(kind, arguments)
    main(config)


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
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2)
