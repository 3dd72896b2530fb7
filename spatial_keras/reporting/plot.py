"""The paper's figures: which runs, what to draw of them, where to."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatial_keras import figures, theory
from spatial_keras.configuration.plot_config import FIGURE_NAMES, PlotConfig
from spatial_keras.reporting import subject
from spatial_keras.reporting.subject import Subject
from spatial_keras.results import folders, runs_csv, variants
from spatial_keras.results.variants import Variant


class ImpossibleError(ValueError):
    """A figure cannot be drawn from what was given."""


@dataclasses.dataclass
class Gallery:
    """Figures to draw.

    Attributes:
      names: of the figures.
      required: whether a figure that cannot be drawn is a mistake.
      runs: results of finished runs; None if no folder was given.
      run: the folder of the classifier's run, if any.
      data_dir: folder of its images.
      image: number of the image to rotate, if chosen.
      folder: gets the figures.
      damaged: of each run that is left out, a line that says why.
    """

    names: Sequence[str]
    required: bool
    runs: list[dict[str, Any]] | None
    run: str | None
    data_dir: str | None
    image: int | None
    folder: pathlib.Path
    damaged: Sequence[str] = ()
    _subject: Subject | None = None

    def draw(self, say: Callable[[str], Any]) -> list[pathlib.Path]:
        """Draws and writes the figures; returns their files.

        Args:
          say: called with a line for each run that cannot be read, and each figure that cannot be
            drawn; they are left out.

        Raises:
          ValueError: a required figure cannot be drawn; nothing is written.
        """
        drawn = {}
        for line in self.damaged:
            say(f"left out: {line}.")
        for name in self.names:
            try:
                drawn[name] = FIGURES[name](self)
            except ImpossibleError as error:
                if self.required:
                    raise
                say(f"left out: {error}")
        written = [figures.save(figure, self.folder, name) for name, figure in drawn.items()]
        return [file for pair in written for file in pair]

    def variants(self, name: str, also: Sequence[str] = ()) -> list[Variant]:
        """Returns the runs by variant, for the figure of this name; see `variants.group`."""
        if self.runs is None:
            raise ImpossibleError(f"{name}: needs --runs=FOLDER with runs of train.py in it.")
        try:
            return variants.group(self.runs, also)
        except ValueError as error:
            raise ImpossibleError(f"{name}: {error}") from error

    def subject(self, name: str) -> Subject:
        """Returns the classifier, for the figure of this name."""
        if self.run is None:
            raise ImpossibleError(f"{name}: needs --run=FOLDER of train.py.")
        if self._subject is None:
            try:
                self._subject = subject.load(self.run, self.data_dir)
            except ValueError as error:
                raise ImpossibleError(f"{name}: {error}") from error
        if self._subject is None:
            raise ImpossibleError(f"{name}: the run in {self.run} has --max_rotation=0.")
        return self._subject


def prepare(config: PlotConfig) -> Gallery:
    """Reads the results to draw.

    Raises:
      ValueError: they cannot be read.
    """
    runs, damaged = (None, ()) if config.runs is None else _read(pathlib.Path(config.runs))
    return Gallery(
        config.figures or FIGURE_NAMES,
        bool(config.figures),
        runs,
        config.run,
        config.data_dir,
        config.image,
        pathlib.Path(config.output_dir),
        damaged,
    )


def _read(path: pathlib.Path) -> tuple[list[dict[str, Any]], Sequence[str]]:
    if path.suffix == ".csv":
        return runs_csv.read(path), ()
    found = folders.find(path)
    return list(found.finished.values()), found.damaged


def _rotations(gallery: Gallery) -> figures.Figure:
    found = gallery.subject("rotations")
    number = found.first_broken() if gallery.image is None else gallery.image
    if number >= len(found.images):
        raise ImpossibleError(
            f"rotations: --image must be at most {len(found.images) - 1}, got {number}."
        )
    label = found.class_names[found.labels[number]]
    images, degrees, predictions = found.rotated(number)
    return figures.rotations(images, degrees, label, predictions)


def _failures(gallery: Gallery) -> figures.Figure:
    found = gallery.subject("failures")
    return figures.failures(found.right, found.degrees)


def _cost(gallery: Gallery) -> figures.Figure:
    found = gallery.variants("cost")
    # Of several weights, the paper's: they all cost the same.
    papers = {one.defense for one in found if one.is_papers}
    found = [one for one in found if one.is_papers or one.defense not in papers]
    times = [one.row.statistics("seconds_per_step") for one in found]
    timed = [i for i, (seconds, _) in enumerate(times) if seconds is not None]
    if not timed:
        raise ImpossibleError("cost: no run in --runs has the seconds per step.")
    found = [found[i] for i in timed]
    seconds, seconds_errors = np.transpose([variants.mean_and_error(times[i]) for i in timed])
    accuracies, errors = variants.accuracies(found, "grid").T
    names, lines = variants.point_names(found), variants.lines_over_k(found)
    return figures.cost(names, seconds, accuracies, seconds_errors, errors, lines)


def _lambda(gallery: Gallery) -> figures.Figure:
    curves: dict[tuple, list[Variant]] = {}
    for one in gallery.variants("lambda"):
        if one.weight is not None:
            curves.setdefault((one.defense.name, *one.others.values()), []).append(one)
    chosen = [line for line in curves.values() if len(line) > 1]
    if not chosen:
        raise ImpossibleError(
            "lambda: needs runs of one defense with at least two --lambda values."
        )
    every = [one for line in chosen for one in line]
    several = len({one.search for one in every}) > 1
    drawn = []
    for line in chosen:
        search = line[0].search if several else ""
        drawn.append(variants.lambda_curve(line, search, *variants.differences(line[0], every)))
    return figures.lambda_curves(drawn)


def _sample_efficiency(gallery: Gallery) -> figures.Figure:
    found = gallery.variants("sample_efficiency", also=("train_images", "steps"))
    curves = variants.sample_curves(found)
    if not curves:
        raise ImpossibleError(
            "sample_efficiency: needs runs of one defense with at least two --train_images values."
        )
    return figures.sample_efficiency(curves)


def _training_cost(gallery: Gallery) -> figures.Figure:
    found = gallery.variants("training_cost", also=("steps", "schedule", "optimizer"))
    if len(found) < 2:
        raise ImpossibleError("training_cost: needs runs of at least two recipes.")
    return figures.training_cost(variants.cost_curves(found))


def _no_trade_off(gallery: Gallery) -> figures.Figure:
    del gallery  # computed, not measured
    points, circles = theory.circles()
    titles = {
        "rotations": "rotations,\nlabel of the circle",
        "ball": "l∞ ball,\nlabel of the circle",
        "label turns": "rotations,\nlabel of the angle",
    }
    adversaries = [
        figures.Adversary(
            titles[name], one.reachable, theory.natural_minimizer(one),
            np.round(theory.robust_minimizer(one)), theory.trade_off(one),
        )
        for name, one in circles.items()
    ]  # fmt: skip
    return figures.no_trade_off(points, circles["rotations"].masses, adversaries)


# Name -> what draws it.
FIGURES: dict[str, Callable[[Gallery], figures.Figure]] = {
    "rotations": _rotations,
    "cost": _cost,
    "no_trade_off": _no_trade_off,
    "lambda": _lambda,
    "failures": _failures,
    "sample_efficiency": _sample_efficiency,
    "training_cost": _training_cost,
}
