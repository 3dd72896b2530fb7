"""Folders in which one process at a time works."""

from __future__ import annotations

import contextlib
import os
import pathlib

import filelock

from spatial_keras.support import files


class BusyError(ValueError):
    """Another process is at work."""


class Lock:
    """A file that one process at a time holds; the system frees it when the process ends.

    On Linux it is `flock`, which is taken to the server of a network folder, too.

    Args:
      path: the file, which is there as long as it is held.

    Raises:
      BusyError: another process holds it.
      files.ReadError: something else is in its place.
    """

    def __init__(self, path: pathlib.Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            files.regular(path)  # a link would be written through
        self._path, self._lock = path, filelock.FileLock(path, timeout=0)
        holder = _text(path)  # before the file is emptied
        try:
            self._lock.acquire()
        except filelock.Timeout:
            _note(path, holder)
            busy = f"{holder or 'another process'} is at work on {path.parent}."
            raise BusyError(busy) from None
        _note(path, f"process {os.getpid()} on {files.node()}")

    def release(self) -> None:
        """Lets others hold it."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._lock.release()


def _text(path: pathlib.Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def _note(path: pathlib.Path, text: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk it is held without a name
        path.write_text(text)
