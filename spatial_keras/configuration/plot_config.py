"""The configuration of figures: what plot.py's flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.configuration import shared_options
from spatial_keras.configuration.options import Config, option
from spatial_keras.support import files

# So many of the test images are rotated.
IMAGES = 100
FIGURE_NAMES = (
    "rotations", "cost", "no_trade_off", "lambda", "failures", "sample_efficiency",
    "training_cost",
)  # fmt: skip
# Flag -> the figures that it has an effect on.
_OF_FIGURES = {
    "runs": {*FIGURE_NAMES} - {"rotations", "failures", "no_trade_off"},
    "run": {"rotations", "failures"},
    "data_dir": {"rotations", "failures"},
    "image": {"rotations"},
    "axes": {"failures"},
}


@dataclasses.dataclass(frozen=True)
class PlotConfig(Config):
    """What to draw; each field is a flag of plot.py, which --help documents."""

    figures: tuple[str, ...] | None = option(
        None,
        "Figures",
        f"{', '.join(FIGURE_NAMES)}: one or several, with commas between.",
        choices=FIGURE_NAMES,
        distinct=True,
    )
    all: bool = option(False, "Figures", "All figures that --runs and --run can be drawn for.")
    runs: str | None = option(
        None,
        "Runs",
        "Folder with runs of train.py or table.py in it, at any depth, or a CSV file of runs that "
        "report.py wrote: for all figures but rotations, failures and no_trade_off.",
    )
    run: str | None = option(
        None,
        "Runs",
        "Folder of one run of train.py: for rotations and failures.",
        is_path=True,
    )
    data_dir: str | None = option(
        None,
        "Runs",
        "Folder of the TensorFlow Datasets of --run; default: theirs.",
        is_path=True,
    )
    image: int | None = option(
        None,
        "Runs",
        "Number of the test image to rotate; default: the first that some rotation breaks.",
        low=0,
        high=IMAGES - 1,
    )
    axes: tuple[str, ...] | None = option(
        None,
        "Runs",
        "Axes of the run's S that failures goes along, one or two, e.g. pitch or tx,rotation; "
        "default: rotation.",
        distinct=True,
    )
    output_dir: str = option(
        "runs/figures",
        "Output",
        "Folder of the figures, each a PNG and an SVG file.",
        is_path=True,
    )

    def to_continue(self, typed: str) -> None:
        """Returns None: what is drawn in a moment begins anew."""

    def check(self) -> None:
        """Raises ValueError if it is not clear what to draw, or the run is not there."""
        shared_options.check_data_dir(self.data_dir)
        if bool(self.figures) == self.all:
            raise ValueError(
                f"give either --figures={','.join(FIGURE_NAMES)}, some of them, or --all."
            )
        if self.run is not None and not pathlib.Path(self.run).is_dir():
            raise ValueError(f"--run: there is no folder '{self.run}'.")
        if self.axes is not None and len(self.axes) > 2:
            raise ValueError(f"--axes must be one or two, got {','.join(self.axes)}.")
        self.check_effects()
        files.check_folder("--output_dir", pathlib.Path(self.output_dir))

    def without_effect(self) -> dict[str, str]:
        """Returns the fields that have no effect on the figures."""
        chosen = {*(self.figures or FIGURE_NAMES)}
        reasons = (
            dict.fromkeys(("data_dir", "image", "axes"), "without --run") if not self.run else {}
        )
        for name, figures in _OF_FIGURES.items():
            if not figures & chosen:
                reasons[name] = f"but on --figures={','.join(sorted(figures))}"
        return reasons
