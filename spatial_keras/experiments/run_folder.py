"""The folder of a run: its flags, results and files, which are written whole or not at all."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.options import Config
from spatial_keras.results import folders
from spatial_keras.results.folders import FLAGS_FILE, RESULTS_FILE
from spatial_keras.results.run_results import Results
from spatial_keras.support import files, locks

SEARCH_FLAGS_FILE = "search.flags"
_LOCK_FILE = ".lock"
# What a folder with this flagfile is.
_HOLDERS = {FLAGS_FILE: "a run", SEARCH_FLAGS_FILE: "a search"}


class DamagedFlagsError(ValueError):
    """The flagfile of a run cannot be read."""


class RunFolder:
    """A folder that belongs to one run, that is to one configuration.

    Args:
      path: the folder, which is made if it does not exist.
      config: the run's configuration, which is kept in a flagfile that repeats the run.
      flags_file: the flagfile's name.
      alone: whether no other process may work in it until `close`.

    Raises:
      ValueError: the folder cannot be written, or holds a run with other flags.
      files.WriteError: the disk is full.
      locks.BusyError: another process works in it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        config: Config,
        flags_file: str = FLAGS_FILE,
        alone: bool = True,
    ) -> None:
        self.path = pathlib.Path(path)
        self._lock: locks.Lock | None = None
        try:
            self._open(alone)
            if not holds(self.path, config, flags_file):
                self.write_text(flags_file, command_line.flagfile(config))
        except BaseException:
            self.close()
            raise

    def _open(self, alone: bool) -> None:
        files.check_tree(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.path).close()
            if alone:
                self._lock = locks.Lock(self.path / _LOCK_FILE)
        except OSError as error:
            raise ValueError(f"cannot write to {self.path}: {error.strerror or error}.") from error
        files.sweep(self.path)

    def close(self) -> None:
        """Lets other processes work in the folder."""
        if self._lock is not None:
            self._lock.release()

    def write(self, name: str, write: Callable[[pathlib.Path], Any]) -> pathlib.Path:
        """Has `write(path)` write a temporary file, then gives it its name.

        Args:
          name: the file's name in the folder.
          write: writes to the path it is given, which ends like `name`.

        Returns:
          The file's path.
        """
        files.write(self.path / name, write)
        return self.path / name

    def write_text(self, name: str, text: str) -> pathlib.Path:
        """Writes a text file, whole or not at all."""
        files.write_text(self.path / name, text)
        return self.path / name

    def write_results(self, results: Results) -> pathlib.Path:
        """Writes `results.json`; one that cannot be read is kept under another name."""
        try:
            folders.read(self.path)
        except folders.DamagedResultsError:
            os.replace(self.path / RESULTS_FILE, self.path / f"damaged_{RESULTS_FILE}")
        return self.write_text(RESULTS_FILE, results.to_json())


class TemporaryFolder(RunFolder):
    """Where a worker that is not the chief writes; nothing is left of it.

    Args:
      config: the run's configuration.
    """

    def __init__(self, config: Config) -> None:
        self._temporary = tempfile.TemporaryDirectory()
        super().__init__(self._temporary.name, config)

    def close(self) -> None:
        """Removes the folder."""
        super().close()
        self._temporary.cleanup()


def check_holds_nothing_else(path: pathlib.Path, flags_file: str | None = None) -> None:
    """Raises ValueError if a folder is that of a run or of a search.

    Args:
      path: the folder, which need not exist.
      flags_file: the name of the flagfile that it may have.
    """
    for name, holder in _HOLDERS.items():
        if name != flags_file and (path / name).exists():
            raise ValueError(f"{path} is the folder of {holder}; choose another --output_dir.")


def holds(path: pathlib.Path, config: Config, flags_file: str = FLAGS_FILE) -> bool:
    """Returns whether a folder has the whole flagfile of a configuration; writes nothing.

    Args:
      path: the folder, which need not exist.
      config: the run's configuration.
      flags_file: the name of its flagfile, which may be missing or have lost lines.

    Raises:
      DamagedFlagsError: the flagfile cannot be read.
      ValueError: the folder holds something else.
    """
    file = path / flags_file
    check_holds_nothing_else(path, flags_file)
    if not file.exists():
        return False
    try:
        there = command_line.read(type(config), file)
    except ValueError as error:
        raise DamagedFlagsError(str(error)) from error
    is_whole = command_line.is_whole(file)
    set_there = command_line.names(file)
    contradictions = [
        f"--{name} is {text} there, {text_here} here"
        for name, (text, text_here) in options.differences(there, config).items()
        if is_whole or name in set_there
    ]
    if contradictions:
        raise ValueError(
            f"{path} holds a run with other flags ({'; '.join(contradictions)}); choose another "
            "--output_dir."
        )
    return is_whole


def read_config(path: pathlib.Path, kind: type[options.AnyConfig]) -> options.AnyConfig:
    """Returns the configuration of the run in a folder.

    Raises:
      ValueError: there is none, its flagfile is damaged, or the folder holds links, pipes, ...
    """
    file = path / FLAGS_FILE
    if not file.exists():
        raise ValueError(f"'{path}' is not the folder of a run: it has no {FLAGS_FILE}.")
    files.check_tree(path)
    config = command_line.read(kind, file)
    for flag in options.all_flags(kind):
        if not flag.option.recorded and getattr(config, flag.field) != flag.default:
            # Nor does a folder of somebody else's decide what is safe to load here.
            raise ValueError(f"{file} is damaged: no run writes --{flag.name}.")
    if not command_line.is_whole(file):
        raise ValueError(
            f"{file} is damaged, it has lost lines; the command that trained the run writes them "
            "again."
        )
    return config
