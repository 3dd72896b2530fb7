"""The paper's figures from flags to files: which runs, what to draw of them, where to."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import flags

from spatial_keras import command_line, figures, theory, validation
from spatial_keras.gallery import settings, subject
from spatial_keras.gallery.settings import Setting
from spatial_keras.gallery.subject import Subject

# Group, as --help shows them -> (kind, name, default, [choices,] what it is).
FLAGS = {
    "Figures": (
        (flags.DEFINE_list, "figures", None,
         "rotations, cost, no_trade_off, lambda, failures: one or several, with commas between."),
        (flags.DEFINE_boolean, "all", False,
         "All figures that --runs and --run can be drawn for."),
    ),
    "Runs": (
        (flags.DEFINE_string, "runs", None,
         "Folder with runs of train.py or table.py in it, at any depth: for cost and lambda."),
        (flags.DEFINE_string, "run", None,
         "Folder of one run of train.py: for rotations and failures."),
        (flags.DEFINE_string, "data_dir", None,
         "Folder of the TensorFlow Datasets of --run; default: theirs."),
        (flags.DEFINE_integer, "image", None,
         "Number of the test image to rotate; default: the first that some rotation breaks."),
    ),
    "Output": (
        (flags.DEFINE_string, "output_dir", "docs/figures",
         "Folder of the figures, each a PNG and an SVG file."),
    ),
}  # fmt: skip


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
    """

    names: Sequence[str]
    required: bool
    runs: list[dict[str, Any]] | None
    run: str | None
    data_dir: str | None
    image: int | None
    folder: pathlib.Path
    _subject: Subject | None = None

    def draw(self, say: Callable[[str], Any]) -> list[pathlib.Path]:
        """Draws and writes the figures; returns their files.

        Args:
          say: called with a line for each figure that cannot be drawn and is left out.

        Raises:
          ValueError: a required figure cannot be drawn; nothing is written.
        """
        drawn = {}
        for name in self.names:
            try:
                drawn[name] = FIGURES[name](self)
            except ImpossibleError as error:
                if self.required:
                    raise
                say(f"left out: {error}")
        written = [figures.save(figure, self.folder, name) for name, figure in drawn.items()]
        return [file for pair in written for file in pair]

    def settings(self, name: str) -> list[Setting]:
        """Returns the runs by setting, for the figure of this name."""
        if self.runs is None:
            raise ImpossibleError(f"{name}: needs --runs=FOLDER with runs of train.py in it.")
        try:
            return settings.group(self.runs)
        except ValueError as error:
            raise ImpossibleError(f"{name}: {error}") from error

    def subject(self, name: str) -> Subject:
        """Returns the classifier, for the figure of this name."""
        if self.run is None:
            raise ImpossibleError(f"{name}: needs --run=FOLDER of train.py.")
        if self._subject is None:
            self._subject = subject.load(self.run, self.data_dir)
        if self._subject is None:
            raise ImpossibleError(f"{name}: the run in {self.run} has --max_rotation=0.")
        return self._subject


def prepare(flag_values: flags.FlagValues = flags.FLAGS) -> Gallery:
    """Reads the results that the flags name.

    Raises:
      ValueError: a flag's value is not allowed, or flags do not go together.
    """
    value = command_line.values(FLAGS, flag_values)
    names = value["figures"]
    if bool(names) == value["all"]:
        raise ValueError(f"give either --figures={','.join(FIGURES)}, some of them, or --all.")
    for name in names or ():
        validation.check_name("figure", name, FIGURES)
    runs = None if value["runs"] is None else settings.read(pathlib.Path(value["runs"]))
    if value["run"] is not None and not pathlib.Path(value["run"]).is_dir():
        raise ValueError(f"--run: there is no folder '{value['run']}'.")
    if value["image"] is not None:
        validation.check_integer("--image", value["image"], 0, subject.IMAGES - 1)
    return Gallery(
        list(dict.fromkeys(names or FIGURES)), bool(names), runs, value["run"],
        value["data_dir"], value["image"], pathlib.Path(value["output_dir"]),
    )  # fmt: skip


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
    found = gallery.settings("cost")
    # Of several weights, the paper's: they all cost the same.
    papers = {one.defense for one in found if one.is_papers}
    found = [one for one in found if one.is_papers or one.defense not in papers]
    times = [one.row.statistics("seconds_per_step") for one in found]
    timed = [i for i, (seconds, _) in enumerate(times) if seconds is not None]
    if not timed:
        raise ImpossibleError("cost: no run in --runs has the seconds per step.")
    found = [found[i] for i in timed]
    seconds, seconds_errors = np.transpose([_mean_and_error(times[i]) for i in timed])
    accuracies, errors = _accuracies(found, "grid").T
    names, lines = settings.point_names(found), settings.lines_over_k(found)
    return figures.cost(names, seconds, accuracies, seconds_errors, errors, lines)


def _lambda(gallery: Gallery) -> figures.Figure:
    curves: dict[tuple, list[Setting]] = {}
    for one in gallery.settings("lambda"):
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
        drawn.append(lambda_curve(line, search, *settings.differences(line[0], every)))
    return figures.lambda_curves(drawn)


def lambda_curve(line: Sequence[Setting], *differences: str) -> figures.Curve:
    """Returns the accuracies of settings that differ in lambda, named by what they share.

    Args:
      line: the settings.
      differences: what else tells the curve apart; empty texts are left out.
    """
    line = sorted(line, key=lambda one: one.weight)
    first = line[0]
    name = ", ".join(part for part in (first.method, first.batch, *differences) if part)
    weights = np.array([one.weight for one in line])
    accuracies = (_accuracies(line, measure) for measure in ("grid", "natural"))
    return figures.Curve(name, first.method, weights, *accuracies)


def _accuracies(found: Sequence[Setting], measure: str) -> np.ndarray:
    return np.array([_mean_and_error(one.row.statistics(measure)) for one in found])


def _mean_and_error(statistics: tuple[float, float | None]) -> tuple[float, float]:
    mean, error = statistics
    return mean, error or 0.0


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
}
