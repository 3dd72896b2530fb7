"""The paper's figures: which runs, what to draw of them, where to."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatial_keras import figures, theory
from spatial_keras.configuration.plot_config import FIGURE_NAMES, PlotConfig
from spatial_keras.reporting import along, subject
from spatial_keras.reporting.subject import Subject
from spatial_keras.results import curves, folders, runs_csv
from spatial_keras.results import variants as by_variant
from spatial_keras.results.run_results import Results
from spatial_keras.results.variants import Variant


class ImpossibleError(ValueError):
    """A figure cannot be drawn from what was given."""


@dataclasses.dataclass
class Gallery:
    """Figures to draw.

    Attributes:
      config: which, of what, and where to.
      runs: results of finished runs; None if none are given.
      damaged: of each run that is left out, a line that says why.
    """

    config: PlotConfig
    runs: Sequence[Results] | None
    damaged: Sequence[str] = ()

    def draw(self, say: Callable[[str], Any]) -> list[pathlib.Path]:
        """Draws and writes the figures; returns their files.

        Args:
          say: called with a line for each run that cannot be read, and with --all for each figure
            that cannot be drawn; they are left out.

        Raises:
          ValueError: a figure that was asked for cannot be drawn; nothing is written.
        """
        drawn = {}
        for line in self.damaged:
            say(f"left out: {line}.")
        for name in self.config.figures or FIGURE_NAMES:
            try:
                drawn[name] = FIGURES[name](self)
            except ImpossibleError as error:
                if not self.config.all:
                    raise
                say(f"left out: {error}")
        folder = pathlib.Path(self.config.output_dir)
        written = [figures.save(figure, folder, name) for name, figure in drawn.items()]
        return [file for pair in written for file in pair]

    def variants(self, name: str, also: Sequence[str] = ()) -> list[Variant]:
        """Returns the runs by variant, for the figure of this name; see `variants.group`."""
        if self.runs is None:
            raise ImpossibleError(f"{name}: needs --runs=FOLDER with runs of train.py in it.")
        try:
            return by_variant.group(self.runs, also)
        except ValueError as error:
            raise ImpossibleError(f"{name}: {error}") from error

    def subject(self, name: str) -> Subject:
        """Returns the classifier, for the figure of this name."""
        try:
            found = self._subject
        except ValueError as error:
            raise ImpossibleError(f"{name}: {error}") from error
        if found is None:
            raise ImpossibleError(f"{name}: the run in {self.config.run} has --max_rotation=0.")
        return found

    def along(self, names: Sequence[str]) -> along.Along:
        """Returns what the classifier does along axes, for the figure `failures`."""
        try:
            return along.load(self._run, self.config.data_dir, names)
        except ValueError as error:
            raise ImpossibleError(f"failures: {error}") from error

    @property
    def _run(self) -> str:
        if self.config.run is None:
            raise ValueError("needs --run=FOLDER of train.py.")
        return self.config.run

    @functools.cached_property
    def _subject(self) -> Subject | None:
        return subject.load(self._run, self.config.data_dir)


def prepare(config: PlotConfig) -> Gallery:
    """Reads the results to draw.

    Raises:
      ValueError: they cannot be read.
    """
    if config.runs is None:
        return Gallery(config, None)
    path = pathlib.Path(config.runs)
    if path.suffix == ".csv":
        return Gallery(config, runs_csv.read(path))
    found = folders.find(path)
    return Gallery(config, list(found.finished.values()), found.damaged)


def _rotations(gallery: Gallery) -> figures.Figure:
    found = gallery.subject("rotations")
    number = found.first_broken() if gallery.config.image is None else gallery.config.image
    if number >= len(found.images):
        raise ImpossibleError(
            f"rotations: --image must be at most {len(found.images) - 1}, got {number}."
        )
    label = found.class_names[found.labels[number]]
    images, degrees, predictions = found.rotated(number)
    return figures.rotations(images, degrees, label, predictions)


def _failures(gallery: Gallery) -> figures.Figure:
    names = gallery.config.axes
    if names is None:
        rotated = gallery.subject("failures")
        return figures.failures(rotated.right, rotated.degrees)
    found = gallery.along(names)
    labels = [axis.label for axis in found.axes]
    if len(names) == 1:
        return figures.failures(found.right, found.values[0], labels[0])
    return figures.along_two_axes(100 * found.right.mean(axis=0), found.values, labels)


def _cost(gallery: Gallery) -> figures.Figure:
    variants = gallery.variants("cost")
    # Of several weights, the paper's: they all cost the same.
    papers = {variant.setting.defense for variant in variants if variant.is_papers}
    variants = [
        variant
        for variant in variants
        if (variant.is_papers or variant.setting.defense not in papers)
        and variant.row.statistics("seconds_per_step") != (None, None)
    ]
    if not variants:
        raise ImpossibleError("cost: no run in --runs has the seconds per step.")
    seconds, seconds_errors = curves.accuracies(variants, "seconds_per_step").T
    accuracies, errors = curves.accuracies(variants, "grid").T
    lines = [
        [variants.index(variant) for variant in line]
        for line in by_variant.lines_over_number(variants)
    ]
    names = by_variant.names(variants)
    return figures.cost(names, seconds, accuracies, seconds_errors, errors, lines)


def _lambda(gallery: Gallery) -> figures.Figure:
    drawn = curves.over_lambda(gallery.variants("lambda"))
    if not drawn:
        raise ImpossibleError(
            "lambda: needs runs of one defense with at least two --lambda values."
        )
    return figures.lambda_curves(drawn)


def _sample_efficiency(gallery: Gallery) -> figures.Figure:
    variants = gallery.variants("sample_efficiency", also=("train_images", "steps"))
    drawn = curves.over_train_images(variants)
    if not drawn:
        raise ImpossibleError(
            "sample_efficiency: needs runs of one defense with at least two --train_images values."
        )
    return figures.sample_efficiency(drawn)


def _training_cost(gallery: Gallery) -> figures.Figure:
    variants = gallery.variants("training_cost", also=("steps", "schedule", "optimizer"))
    if len(variants) < 2:
        raise ImpossibleError("training_cost: needs runs of at least two recipes.")
    return figures.training_cost(curves.over_passes(variants))


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
