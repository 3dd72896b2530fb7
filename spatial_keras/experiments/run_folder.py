"""The folder of a run: its flags, results and files, which are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from spatial_keras.experiments import command_line, options
from spatial_keras.experiments.options import Config
from spatial_keras.support import files

FLAGS_FILE = "run.flags"
RESULTS_FILE = "results.json"
_LOCK_FILE = ".lock"


class DamagedResultsError(ValueError):
    """What a finished run wrote cannot be read, or cannot be true."""


class RunFolder:
    """A folder that belongs to one run, that is to one configuration.

    Args:
      path: the folder, which is made if it does not exist.
      config: the run's configuration, which is kept in a flagfile that repeats the run.
      flags_file: the flagfile's name.
      alone: whether no other process may work in it until `close`.

    Raises:
      ValueError: the folder cannot be written, or holds a run with other flags.
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
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
            if alone:
                self._lock = files.Lock(self.path / _LOCK_FILE)
            files.sweep(self.path)
            if _is_to_be_written(self.path, config, flags_file):
                self.write_text(flags_file, command_line.flagfile(config))
        except files.WriteError:
            raise
        except OSError as error:
            raise ValueError(f"cannot write to {self.path}: {error.strerror or error}.") from error

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
    for name in ("natural", "random", "grid"):
        if name not in results["accuracies"]:
            return f"have no {name} accuracy"
    return _wrong_value(results)


def _wrong_value(results: dict[str, Any]) -> str | None:
    shares = [*results["accuracies"].values(), *results.get("training_accuracies", {}).values()]
    for value in shares:
        if not (_is_number(value) and 0 <= value <= 1):
            return f"have an accuracy of {value}"
    for name, value in results["timing"].items():
        if value is not None and not (_is_number(value) and math.isfinite(value)):
            return f"have {value} for {name}"
    texts = {**results["flags"], **results.get("versions", {})}
    if not all(isinstance(text, str) for text in texts.values()):
        return "have flags that are no texts"
    images = results.get("test_images", 1)
    return None if isinstance(images, int) and images > 0 else f"are of {images} images"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check(path: pathlib.Path, config: Config, flags_file: str = FLAGS_FILE) -> None:
    """Raises ValueError if a folder holds a run of another configuration; writes nothing.

    Args:
      path: the folder, which need not exist.
      config: the run's configuration.
      flags_file: the name of its flagfile.
    """
    _is_to_be_written(path, config, flags_file)


def _is_to_be_written(path: pathlib.Path, config: Config, flags_file: str) -> bool:
    """Returns whether the flagfile is missing, or has lost lines; none contradicts `config`.

    Raises:
      ValueError: it is of another configuration.
    """
    file = path / flags_file
    if not file.exists():
        return True
    found = options.differences(command_line.read(type(config), file), config)
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
    if not command_line.is_whole(file):
        raise ValueError(
            f"{file} is damaged, it has lost lines; the command that trained the run writes them "
            "again."
        )
    return config
