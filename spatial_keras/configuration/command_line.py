"""Flags from configurations: command lines and flagfiles read and written, --help by group."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

from absl import flags

from spatial_keras.configuration import flagfiles, options
from spatial_keras.configuration.options import AnyConfig, Config, Flag

_END = "# flags above: "
_BOOLEAN = re.compile(r"^flag (--\w+)=(.*?): .*$", re.DOTALL)


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
    """Returns whether a flagfile written by `flagfile` has lost no line."""
    last = file.read_text(encoding="utf-8").splitlines()[-1:]
    return last == [f"{_END}{len(names(file))}"]


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
