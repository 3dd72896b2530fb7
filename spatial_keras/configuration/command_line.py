"""Flags from configurations: command lines and flagfiles read and written, --help by group."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from spatial_keras.configuration import flagfiles, options
from spatial_keras.configuration.flag import Flag
from spatial_keras.configuration.options import AnyConfig, Config
from spatial_keras.support import files, validation

_END = "# flags above: "


def parse(kind: type[AnyConfig], arguments: Sequence[str]) -> AnyConfig:
    """Returns the configuration that the arguments of a command line describe.

    Args:
      kind: of the configuration.
      arguments: "--name=value", "--name" or "--noname" of what is true or false, and
        "--flagfile=FILE", without the command itself. The last one of a name counts.

    Raises:
      ValueError, TypeError: an argument is not a flag, or its value is not allowed.
    """
    flags = {flag.name: flag for flag in options.all_flags(kind)}
    for name in flags:
        if {f"--{name}", f"--no{name}"} <= {*arguments}:
            raise ValueError(f"give --{name} or --no{name}, not both.")
    values = {name: flag.default for name, flag in flags.items()}
    for name, text in _texts(flagfiles.expand(arguments), flags):
        values[name] = flags[name].parse(text)
    return options.build(kind, values)


def _texts(arguments: Sequence[str], flags: Mapping[str, Flag]) -> Iterator[tuple[str, str]]:
    """Yields the name and the text of each flag among the arguments."""
    rest = iter(arguments)
    for argument in rest:
        name, equals, text = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not name:
            raise ValueError(f"not a flag: {argument}")
        positive = name.removeprefix("no")
        if not equals and name in flags and flags[name].is_switch:
            text = "true"
        elif not equals and positive in flags and flags[positive].is_switch:
            name, text = positive, "false"
        elif name not in flags:
            raise ValueError(
                validation.unknown_name("flag", f"--{name}", map("--{}".format, flags))
            )
        elif not equals:
            following = next(rest, None)
            if following is None:
                raise ValueError(f"--{name} needs a value: --{name}=VALUE.")
            text = following
        yield name, text


def read(kind: type[AnyConfig], file: pathlib.Path, *arguments: str) -> AnyConfig:
    """Returns the configuration of a flagfile that `flagfile` wrote, and of further arguments.

    Raises:
      ValueError, TypeError: it cannot be read, or has flags or values that are not allowed.
    """
    try:
        lines = flagfiles.lines(files.regular(file))
        if any(line.lstrip("-").startswith("flagfile") for line in lines):
            raise ValueError("it names another flagfile")
        return parse(kind, [*lines, *arguments])
    except (OSError, ValueError, TypeError) as error:
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
    about = "Import a module of your own first, whose searches and methods flags may then name."
    groups["Your own code"] = [f"  --import=MODULE: {about}"]
    return "".join(f"\n{group}:\n" + "\n".join(lines) + "\n" for group, lines in groups.items())
