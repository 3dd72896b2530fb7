"""The folder of a run: its flags, results and files, which are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.options import Config
from spatial_keras.support import files

FLAGS_FILE, SEARCH_FLAGS_FILE = "run.flags", "search.flags"
RESULTS_FILE = "results.json"
_LOCK_FILE = ".lock"
# What a folder with this flagfile is.
_HOLDERS = {FLAGS_FILE: "a run", SEARCH_FLAGS_FILE: "a search"}
# Version 0.1.0 did not write all of it.
_OPTIONAL = ("training_accuracies", "versions")


class DamagedResultsError(ValueError):
    """What a finished run wrote cannot be read, or cannot be true."""


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
      files.BusyError: another process works in it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        config: Config,
        flags_file: str = FLAGS_FILE,
        alone: bool = True,
    ) -> None:
        self.path = pathlib.Path(path)
        self._lock: files.Lock | None = None
        try:
            self._open(alone)
            if _is_to_be_written(self.path, config, flags_file):
                self.write_text(flags_file, command_line.flagfile(config))
        except BaseException:
            self.close()
            raise

    def _open(self, alone: bool) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.path).close()
            if alone:
                self._lock = files.Lock(self.path / _LOCK_FILE)
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

    def write_results(self, results: Mapping[str, Any]) -> pathlib.Path:
        """Writes `results.json`; one that cannot be read is kept under another name."""
        try:
            self.read_results()
        except DamagedResultsError:
            os.replace(self.path / RESULTS_FILE, self.path / f"damaged_{RESULTS_FILE}")
        return self.write_text(RESULTS_FILE, json.dumps(results, indent=2) + "\n")

    def read_results(self) -> dict[str, Any] | None:
        """Returns the results of a finished run; None if it has not finished.

        Raises:
          DamagedResultsError: they cannot be read.
        """
        return read_results(self.path)


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


def read_results(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the results of the finished run in a folder; None if there is none.

    Raises:
      DamagedResultsError: they cannot be read, are not whole, or cannot be true.
    """
    file = path / RESULTS_FILE
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_bytes())
        fault = fault_of(found)
    except (ValueError, RecursionError, OSError) as error:
        fault = f"cannot be read: {' '.join(str(error).split())[:100]}"
    if fault:
        raise DamagedResultsError(f"the results in {path} {fault}")
    return found


def finished(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the results of the run in a folder; None if it has none that can be read."""
    try:
        return read_results(path)
    except DamagedResultsError:
        return None


def fault_of(results: Any) -> str | None:
    """Returns what is wrong with results, or None."""
    if not isinstance(results, dict):
        return "are not those of a run"
    for name in ("accuracies", "flags", "timing"):
        if not isinstance(results.get(name), dict):
            return f"have no '{name}'"
    for name in _OPTIONAL:
        if not isinstance(results.get(name, {}), dict):
            return f"have something else for '{name}'"
    for name in ("natural", "random", "grid"):
        if name not in results["accuracies"]:
            return f"have no {name} accuracy"
    return _wrong_value(results)


def _wrong_value(results: dict[str, Any]) -> str | None:
    trained, versions = (results.get(name, {}) for name in _OPTIONAL)
    shares = [*results["accuracies"].values(), *trained.values()]
    for value in shares:
        if not (_is_number(value) and 0 <= value <= 1):
            return f"have an accuracy of {value}"
    for name, value in results["timing"].items():
        # A difference of times falls below 0 where other programs run.
        low = -sys.float_info.max if name == "seconds_per_gradient" else 0
        if value is not None and not (_is_number(value) and low <= value < math.inf):
            return f"have {value} for {name}"
    if not all(isinstance(text, str) for text in {**results["flags"], **versions}.values()):
        return "have flags that are no texts"
    for name in ("steps", "train_images", "test_images"):
        count = results.get(name, 1)
        if not (_is_number(count) and isinstance(count, int) and count > 0):
            return f"are of {count} {name.replace('_', ' ')}"
    return None


def _is_number(value: Any) -> bool:
    # JSON's integers have no end, and what reads them takes numbers for floats.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value < 2**63


def check(path: pathlib.Path, config: Config, flags_file: str = FLAGS_FILE) -> None:
    """Raises ValueError if a folder holds a run of another configuration; writes nothing.

    Args:
      path: the folder, which need not exist.
      config: the run's configuration.
      flags_file: the name of its flagfile.
    """
    _is_to_be_written(path, config, flags_file)


def check_holds_nothing_else(path: pathlib.Path, flags_file: str | None = None) -> None:
    """Raises ValueError if a folder is that of a run or of a search.

    Args:
      path: the folder, which need not exist.
      flags_file: the name of the flagfile that it may have.
    """
    for name, holder in _HOLDERS.items():
        if name != flags_file and (path / name).exists():
            raise ValueError(f"{path} is the folder of {holder}; choose another --output_dir.")


def _is_to_be_written(path: pathlib.Path, config: Config, flags_file: str) -> bool:
    """Returns whether the flagfile is missing, or has lost lines; none contradicts `config`.

    Raises:
      DamagedFlagsError: it cannot be read.
      ValueError: it is of another configuration.
    """
    file = path / flags_file
    check_holds_nothing_else(path, flags_file)
    if not file.exists():
        return True
    try:
        there = command_line.read(type(config), file)
    except ValueError as error:
        raise DamagedFlagsError(str(error)) from error
    found = options.differences(there, config)
    is_whole = command_line.is_whole(file)
    if not is_whole:
        names = command_line.names(file)
        found = {name: texts for name, texts in found.items() if name in names}
    if found:
        texts = (f"--{name} is {there} there, {here} here" for name, (there, here) in found.items())
        raise ValueError(
            f"{path} holds a run with other flags ({'; '.join(texts)}); choose another "
            "--output_dir."
        )
    return not is_whole


def read_config(path: pathlib.Path, kind: type[options.AnyConfig]) -> options.AnyConfig:
    """Returns the configuration of the run in a folder.

    Raises:
      ValueError: there is none, or its flagfile is damaged.
    """
    file = path / FLAGS_FILE
    if not file.exists():
        raise ValueError(f"'{path}' is not the folder of a run: it has no {FLAGS_FILE}.")
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
