"""The folder of a run: its flags, results and files, which are written whole or not at all."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from spatial_keras import files

FLAGS_FILE = "run.flags"
RESULTS_FILE = "results.json"


class RunFolder:
    """A folder that belongs to one run, that is to one set of flags.

    Args:
      path: the folder; it is made if need be.
      values: the run's flags: name -> text. They are kept in a flagfile that repeats the run.
      flags_file: the flagfile's name.

    Raises:
      ValueError: the folder cannot be written, or holds a run with other flags.
    """

    def __init__(
        self, path: str | os.PathLike, values: Mapping[str, str], flags_file: str = FLAGS_FILE
    ) -> None:
        self.path = pathlib.Path(path)
        self._flags_file = flags_file
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
            self._claim(dict(values))
        except OSError as error:
            raise ValueError(f"cannot write to {self.path}: {error.strerror or error}.") from error

    def _claim(self, values: dict[str, str]) -> None:
        check(self.path, values, self._flags_file)
        if not (self.path / self._flags_file).exists():
            self.write_text(self._flags_file, flagfile(values))

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


def flagfile(values: Mapping[str, str]) -> str:
    """Returns flags, name -> text, as the text of a flagfile."""
    return "".join(f"--{name}={text}\n" for name, text in values.items())


def check(path: pathlib.Path, values: Mapping[str, str], flags_file: str = FLAGS_FILE) -> None:
    """Raises ValueError if a folder holds a run with other flags; writes nothing.

    Args:
      path: the folder, which need not exist.
      values: the run's flags: name -> text.
      flags_file: the name of its flagfile.
    """
    file = path / flags_file
    if not file.exists():
        return
    found = dict(line[2:].split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    names = sorted(name for name in {*values, *found} if values.get(name) != found.get(name))
    if names:
        unset = "not set"
        differences = "; ".join(
            f"--{name} is {found.get(name, unset)} there, {values.get(name, unset)} here"
            for name in names
        )
        raise ValueError(
            f"{path} holds a run with other flags ({differences}); choose another --output_dir."
        )
