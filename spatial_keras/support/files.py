"""Files written whole or not at all, and read with failures in one line."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pathlib
import platform
import re
import stat
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_REASONS = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO, errno.EISDIR,
    errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG,
)  # fmt: skip
# What JSON, flags and other texts of a run may have, in bytes: more than any has.
MOST_TEXT = 1 << 26
# Which Persian and emojis need, and which do nothing to others.
_JOINERS = "\u200c\u200d"


class WriteError(OSError):
    """A file could not be written; what was there before is still there."""


class ReadError(OSError, ValueError):
    """A file of a user's cannot be read; the message is one line that names it and says why."""


def write(path: pathlib.Path, write_to: Callable[[pathlib.Path], Any]) -> None:
    """Has `write_to(temporary)` write a file, then gives it its name.

    Args:
      path: the file, whose folder is made if it does not exist.
      write_to: writes to the path it is given, which ends like `path`.

    Raises:
      WriteError: it cannot be written, for example as the disk is full; nothing is left of it.
    """
    # Several processes, on several machines, may write the same file at once.
    temporary = path.with_name(f".partial-{os.getpid()}@{node()}-{path.name}")
    with failures_named(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_to(temporary)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


@contextlib.contextmanager
def failures_named(path: pathlib.Path) -> Iterator[None]:
    """Within, a failure to write raises WriteError with the path and the reason.

    Args:
      path: what is written.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:  # HDF5 and TensorFlow have errors of their own
        reason = system_reason(error)
        if reason is None:
            raise
        raise WriteError(f"cannot write {path}: {reason}.") from error


def system_reason(error: BaseException) -> str | None:
    """Returns what the system says of a failed write, such as "No space left on device"."""
    texts = (os.strerror(code) for code in _REASONS)
    own = error.strerror if isinstance(error, OSError) else None
    return next((text for text in texts if text.lower() in str(error).lower()), own)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_arrays(path: pathlib.Path, **arrays: np.ndarray) -> None:
    """Writes arrays to an `.npz` file."""
    write(path, lambda temporary: np.savez(temporary, **arrays))


def regular(
    path: str | os.PathLike, most_bytes: int = MOST_TEXT, links: bool = False
) -> pathlib.Path:
    """Returns the path of a file that is not one's own, if to read it can do no harm.

    A link leads out of its folder, a pipe waits for ever, and a device has no end.

    Args:
      path: the file.
      most_bytes: that it may have.
      links: whether it may be a link to a file.

    Raises:
      FileNotFoundError: there is none.
      ReadError: it is something else, or larger.
    """
    found = os.stat(path, follow_symlinks=links)
    if not stat.S_ISREG(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        raise ReadError(f"'{path}' is {kind}.")
    if found.st_size > most_bytes:
        raise ReadError(f"'{path}' has {found.st_size:,} bytes, {most_bytes:,} are allowed.")
    return pathlib.Path(path)


def check_tree(folder: pathlib.Path, links: bool = True) -> None:
    """Raises ReadError if a folder that is not one's own holds anything but files and folders.

    Through a link one would read and write elsewhere, and a pipe or a device has no end.

    Args:
      folder: which need not exist.
      links: whether the folder itself may be a link.
    """
    within = (
        pathlib.Path(place, name)
        for place, folders, names in os.walk(folder)
        for name in (*folders, *names)
    )
    for path in itertools.chain([] if links else [folder], within):
        with contextlib.suppress(FileNotFoundError):  # another process has just removed it
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise ReadError(f"'{path}' is {kind}: nothing in '{folder}' is used.")


def read_arrays(path: str | os.PathLike, most_bytes: int) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` file that is not one's own.

    Args:
      path: the file.
      most_bytes: that the arrays may have together; a few bytes of a file can be many of them.

    Raises:
      FileNotFoundError: there is none.
      ReadError: it is not a regular file, or larger.
      Exception: it is damaged; what, depends on how.
    """
    with zipfile.ZipFile(regular(path, most_bytes)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > most_bytes:
        raise ReadError(f"'{path}' holds {size:,} bytes, {most_bytes:,} are allowed.")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def presentable(name: str) -> str:
    """Returns a name of the file system as text that can be shown and written.

    Bytes that are not UTF-8, and characters that steer a terminal, become their escapes.
    """
    return "".join(c if c.isprintable() or c in _JOINERS else ascii(c)[1:-1] for c in name)


def reserve(path: pathlib.Path) -> None:
    """Has a file that holds nothing yet take its space on the disk.

    Raises:
      OSError: the disk has not so much.
    """
    with path.open("r+b") as opened:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(opened.fileno(), 0, path.stat().st_size)
            return
        while block := opened.read(1 << 20):
            opened.seek(-len(block), os.SEEK_CUR)
            opened.write(block)


def check_suffix(name: str, path: str, suffix: str) -> None:
    """Raises ValueError if a path is not that of a file with this suffix.

    Args:
      name: of the flag, for the message.
      path: of the file, which need not exist.
      suffix: with its dot.
    """
    stem = pathlib.Path(path).name.removesuffix(suffix)
    if not path.endswith(suffix) or not stem.strip("."):
        raise ValueError(f"{name} must be NAME{suffix}, got '{path}'.")


def check_folder(name: str, folder: pathlib.Path) -> None:
    """Raises ValueError if a folder is not there and cannot be made, as a file is in its place.

    Args:
      name: of the flag, for the message.
      folder: which need not exist.
    """
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise ValueError(f"{name}: '{path}' is a file, where a folder belongs.")


def sweep(folder: pathlib.Path) -> None:
    """Removes what killed processes of this machine left half written in a folder."""
    for file in folder.glob(".partial-*"):
        found = re.match(rf"\.partial-(\d+)@{re.escape(node())}-", file.name)
        if found and file.is_file() and not _is_alive(int(found[1])):
            with contextlib.suppress(OSError):
                file.unlink()


def node() -> str:
    """Returns the name of this machine."""
    return platform.node().split(".")[0] or "localhost"


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # where to ask is to send a signal
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextlib.contextmanager
def failures_in_one_line(what: str) -> Iterator[None]:
    """Turns whatever goes wrong while a file is read into a ValueError of one line.

    Libraries that read files raise what they like at damaged ones.

    Args:
      what: the beginning of the line, e.g. "model 'x.keras' cannot be read".
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what} ({one_line(error)}).") from error


def one_line(error: Exception) -> str:
    """Returns an error's message, or else its type, as one line of at most 200 characters.

    The names of TensorFlow's nodes and operations are left out.
    """
    return textwrap.shorten(message(error), 200, placeholder=" ...")


def message(error: Exception) -> str:
    """Returns an error's message without TensorFlow's nodes and operations, or else its type."""
    return re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error)).strip() or type(error).__name__
