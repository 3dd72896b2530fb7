"""The configuration of a page about runs: what report.py's flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.configuration import shared_options
from spatial_keras.configuration.options import Config, option
from spatial_keras.configuration.run_config import find_defense
from spatial_keras.support import files


@dataclasses.dataclass(frozen=True)
class ReportConfig(Config):
    """A page about runs; each field is a flag of report.py, which --help documents."""

    runs: str | None = option(
        None,
        "Runs",
        "Folder with runs of train.py or table.py in it, at any depth.",
        is_path=True,
    )
    best_run: bool = option(
        True,
        "Runs",
        "Draw rotations and failures too, with the classifier and the images of the best run.",
    )
    data_dir: str | None = option(
        None,
        "Runs",
        "Folder of the TensorFlow Datasets of the best run; default: theirs.",
        is_path=True,
    )
    compare: tuple[str, ...] | None = option(
        None,
        "Runs",
        "Two defenses, e.g. wo10_at,wo10_kl: by how much the second makes fewer errors on the grid "
        "than the first, from pairs of runs with the same seed and training images.",
        count=2,
        distinct=True,
    )
    output: str | None = option(
        None,
        "Output",
        "The HTML file to write, and beside it a CSV file with a line for each run; default: "
        "report.html within --runs.",
        is_path=True,
    )

    def to_continue(self, typed: str) -> None:
        """Returns None: what is drawn in a moment begins anew."""

    def check(self) -> None:
        """Raises ValueError if there are no runs, or the output is not an HTML file."""
        shared_options.check_data_dir(self.data_dir)
        if self.runs is None:
            raise ValueError("give --runs=FOLDER with runs of train.py or table.py in it.")
        if self.output is not None:
            files.check_suffix("--output", self.output, ".html")
        files.check_folder("--output", self.file.parent)
        self.check_effects()
        for name in self.compare or ():
            find_defense(name)

    def without_effect(self) -> dict[str, str]:
        """Returns the fields that have no effect."""
        return {} if self.best_run else {"data_dir": "with --nobest_run"}

    @property
    def file(self) -> pathlib.Path:
        """The HTML file to write."""
        return pathlib.Path(self.output or pathlib.Path(self.runs) / "report.html")
