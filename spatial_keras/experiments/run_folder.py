"""The folder of a run: its flags, results and files, which are written whole or not at all."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from spatial_keras.experiments import command_line, options
from spatial_keras.experiments.options import Config
from spatial_keras.support import files

FLAGS_FILE = "run.flags"
RESULTS_FILE = "results.json"


class RunFolder:
    """A folder that belongs to one run, that is to one configuration.

    Args:
      path: the folder, which is made if it does not exist.
      config: the run's configuration, which is kept in a flagfile that repeats the run.
      flags_file: the flagfile's name.

    Raises:
      ValueError: the folder cannot be written, or holds a run with other flags.
    """

    def __init__(
        self, path: str | os.PathLike, config: Config, flags_file: str = FLAGS_FILE
    ) -> None:
        self.path = pathlib.Path(path)
        self._flags_file = flags_file
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
            self._claim(config)
        except OSError as error:
            raise ValueError(f"cannot write to {self.path}: {error.strerror or error}.") from error

    def _claim(self, config: Config) -> None:
        check(self.path, config, self._flags_file)
        if not (self.path / self._flags_file).exists():
            self.write_text(self._flags_file, command_line.flagfile(config))

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
        """Writes `results.json`."""
        return self.write_text(RESULTS_FILE, json.dumps(results, indent=2) + "\n")

    def read_results(self) -> dict[str, Any] | None:
        """Returns the results of a finished run; None if it has not finished."""
        return read_results(self.path)


def read_results(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the results of the finished run in a folder; None if there is none."""
    file = path / RESULTS_FILE
    return json.loads(file.read_text()) if file.exists() else None


def check(path: pathlib.Path, config: Config, flags_file: str = FLAGS_FILE) -> None:
    """Raises ValueError if a folder holds a run of another configuration; writes nothing.

    Args:
      path: the folder, which need not exist.
      config: the run's configuration.
      flags_file: the name of its flagfile.
    """
    file = path / flags_file
    if not file.exists():
        return
    found = options.differences(command_line.read(type(config), file), config)
    if found:
        texts = (f"--{name} is {there} there, {here} here" for name, (there, here) in found.items())
        raise ValueError(
            f"{path} holds a run with other flags ({'; '.join(texts)}); choose another "
            "--output_dir."
        )
