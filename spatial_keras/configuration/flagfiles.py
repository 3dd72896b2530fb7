"""Flagfiles: those of the user, and those that come with the package."""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Iterator, Sequence

_PACKAGE = pathlib.Path(__file__).parents[1]
# flags/ lies in an installed package, and beside the package in a clone.
_HOMES = (_PACKAGE, _PACKAGE.parent)
# More than these nobody can mean: files that name each other twice are soon millions.
_MOST = 100


def expand(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with the lines of its file in the place of each --flagfile=FILE.

    Lines may be arguments, --flagfile=FILE among them; comments begin with # or //.

    Args:
      arguments: of a command line.

    Raises:
      ValueError: a file is not there, cannot be read or leads to itself, or they are too many.
    """
    return list(_expanded(arguments, (), []))


def _expanded(
    arguments: Sequence[str], within: tuple[pathlib.Path, ...], read: list[pathlib.Path]
) -> Iterator[str]:
    """Yields the arguments likewise.

    Args:
      arguments: of a command line, or of a file.
      within: the flagfiles that led here.
      read: those that were read so far.
    """
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if within and name in ("--import", "-import"):
            raise ValueError(f"{within[-1]}: --import runs code, and is taken as typed only.")
        if name not in ("--flagfile", "-flagfile"):
            yield argument
            continue
        file = find(value if equals else next(rest, ""))
        if file in within:
            raise ValueError(f"flagfile {file} leads to itself.")
        read.append(file)
        if len(read) > _MOST:
            raise ValueError(f"the flagfiles lead to more than {_MOST} others.")
        yield from _expanded(lines(file), (*within, file), read)


def find(name: str) -> pathlib.Path:
    """Returns the path of a flagfile.

    Args:
      name: a path, or that of a flagfile of the package, such as "flags/digits/wo10_kl.flags",
        which counts where the path itself does not exist.

    Raises:
      ValueError: there is no such file.
    """
    for home in (pathlib.Path(), *_HOMES):
        file = home / os.path.expanduser(name)
        if file.is_file():
            return file
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
    hint = f": did you mean '{near[0]}'?" if near else "."
    raise ValueError(f"no flagfile '{name}' here or among those of the package{hint}")


def names() -> list[str]:
    """Returns the names of the package's flagfiles, such as "flags/digits/wo10_kl.flags"."""
    return sorted(
        file.relative_to(home).as_posix()
        for home in _HOMES
        for file in home.glob("flags/**/*.flags")
    )


def lines(file: pathlib.Path) -> list[str]:
    """Returns the arguments in a flagfile.

    Raises:
      ValueError: it cannot be read.
    """
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"flagfile {file} cannot be read: {error}") from error
    return [line for line in found if line and not line.startswith(("#", "//"))]
