"""Flags in groups, --help by group, and mistakes answered in one line with exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from absl import flags

# Group, as --help shows it -> (what defines the flag, name, default, [choices,] what it is).
Groups = Mapping[str, Sequence[tuple]]


def define(groups: Groups, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines flags.

    Args:
      groups: the flags by group.
      flag_values: where to define them.
    """
    for group, definitions in groups.items():
        for define_flag, *arguments in definitions:
            define_flag(*arguments, flag_values=flag_values, module_name=group)


def values(groups: Groups, flag_values: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
    """Returns the values of the groups' flags by name."""
    by_group = flag_values.flags_by_module_dict()
    return {flag.name: flag.value for group in groups for flag in by_group[group]}


def names(groups: Groups) -> list[str]:
    """Returns the names of the groups' flags."""
    return [name for definitions in groups.values() for _, name, *_ in definitions]


def help_text(groups: Groups, flag_values: flags.FlagValues = flags.FLAGS) -> str:
    """Returns the flags' documentation, group by group."""
    by_group = flag_values.flags_by_module_dict()
    lines = []
    for group in groups:
        lines.append(f"\n{group}:")
        for flag in by_group[group]:
            default = "" if flag.default is None else f" (default: {flag.default})"
            lines.append(f"  --{flag.name}: {flag.help}{default}")
    return "\n".join(lines)


def numbers(name: str, text: str, kind: type, count: int | None = None) -> list[float]:
    """Returns the numbers of a text such as "5,5,31".

    Args:
      name: the flag's name, for the message.
      text: the numbers with commas between.
      kind: int or float.
      count: how many there must be; None for any number but 0.

    Raises:
      ValueError: there are others, or they are not numbers of this kind.
    """
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or count not in (None, len(found)):
        kinds = "integers" if kind is int else "numbers"
        kinds = kinds if count is None else f"{count} {kinds}"
        raise ValueError(f"--{name} must be {kinds} with commas between, got '{text}'.")
    return found


def parser(
    groups: Groups, epilog: str = "", flag_values: flags.FlagValues = flags.FLAGS
) -> Callable[[list[str]], list[str]]:
    """Returns what parses the command line, for `absl.app.run`.

    --help prints the flags by group and ends the program. A mistake ends it with one line and exit
    code 2, also an argument that is not a flag.

    Args:
      groups: the flags by group; they must be defined.
      epilog: printed after them.
      flag_values: where they are defined.
    """

    def parse(argv: list[str]) -> list[str]:
        if {"--help", "-h", "--helpshort"} & set(argv):
            text = help_text(groups, flag_values)
            sys.stdout.write(f"{sys.modules['__main__'].__doc__}{text}\n{epilog}")
            sys.exit(0)
        try:
            rest = flag_values(argv)
        except flags.Error as error:
            refuse(error)
        if len(rest) > 1:
            refuse(ValueError(f"not a flag: {rest[1]}"))
        return rest

    return parse


def refuse(error: Exception) -> NoReturn:
    """Ends the program with the error in one line and exit code 2."""
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
    sys.exit(2)
