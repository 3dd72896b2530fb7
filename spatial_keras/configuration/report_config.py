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

    runs: str = option(
        None,
        "Runs",
        "Folder with runs of train.py or table.py in it, at any depth.",
        is_path=True,
    )
    evaluations: tuple[str, ...] | None = option(
        None,
        "Runs",
        "In the place of --runs: the JSON file that evaluate.py wrote, or two of the same images, "
        "with a comma between. The page is of these, with images to turn by hand.",
        distinct=True,
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
        "report.html within --runs, or beside --evaluations one of its name.",
        is_path=True,
    )

    def to_continue(self, typed: str) -> None:
        """Returns None: what is drawn in a moment begins anew."""

    def check(self) -> None:
        """Raises ValueError if there are no runs, or the output is not an HTML file."""
        shared_options.check_data_dir(self.data_dir)
        if (self.runs is None) == (self.evaluations is None):
            raise ValueError(
                "give --runs=FOLDER with runs of train.py or table.py in it, or "
                "--evaluations=FILE.json, one or two of evaluate.py."
            )
        if self.evaluations is not None and len(self.evaluations) > 2:
            raise ValueError(f"--evaluations must be one or two, got {len(self.evaluations)}.")
        if self.output is not None:
            files.check_suffix("--output", self.output, ".html")
        files.check_folder("--output", self.file.parent)
        self.check_effects()
        for name in self.compare or ():
            find_defense(name)

    def without_effect(self) -> dict[str, str]:
        """Returns the fields that have no effect."""
        if self.evaluations is not None:
            return dict.fromkeys(("best_run", "compare"), "with --evaluations")
        return {} if self.best_run else {"data_dir": "with --nobest_run"}

    @property
    def file(self) -> pathlib.Path:
        """The HTML file to write."""
        if self.output is not None:
            return pathlib.Path(self.output)
        if self.evaluations is not None:
            return pathlib.Path(self.evaluations[0]).with_suffix(".html")
        return pathlib.Path(self.runs) / "report.html"
