"""What the page says of an evaluation, or of two of the same images: tables, pictures, explorer."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatial_keras import figures
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.evaluation import Evaluator
from spatial_keras.experiments import again
from spatial_keras.reporting import breaking, explorer, markup
from spatial_keras.results import evaluations, paired
from spatial_keras.results.evaluations import Evaluated
from spatial_keras.support import files, tables

_PAIRED = (
    "In brackets 95% intervals, by bootstrap over the images; p is that of McNemar's exact test: "
    "how likely so uneven a split is between equally good classifiers."
)
_ALONG = (
    "For each axis a chart of the share of images that are right at each of its values.",
    "Of the images right as they are, the share that is still right at each value of an axis, "
    "whatever the others.",
)


@dataclasses.dataclass
class Page:
    """The page of an evaluation, or of two.

    Attributes:
      config: where it is written.
      found: what the evaluations wrote, one or two.
    """

    config: ReportConfig
    found: Sequence[Evaluated]

    def write(self, say: Callable[[str], Any]) -> pathlib.Path:
        """Writes the page; returns its file.

        Args:
          say: called with a line for what is left out.
        """
        part = section(self.found, say, self.config.data_dir)
        made = datetime.datetime.now().astimezone().replace(microsecond=0)
        file = self.config.file
        files.write_text(file, markup.page(part.title, made, evaluation=part))
        return file


def prepare(config: ReportConfig) -> Page:
    """Reads what the evaluations wrote.

    Raises:
      ValueError: it cannot be read, or they are not of the same images.
    """
    found = [evaluations.read(pathlib.Path(file)) for file in config.evaluations or ()]
    for one in found[1:]:
        pair = found[0].pair
        one.pair.check(pair.pixels, pair.transformations, pair.flags)
    return Page(config, found)


def section(
    found: Sequence[Evaluated],
    say: Callable[[str], Any],
    data_dir: str | None = None,
    with_images: bool = True,
) -> markup.Evaluation:
    """Returns what there is to say of an evaluation, or of two of the same images.

    Args:
      found: what they wrote.
      say: called with a line for what is left out.
      data_dir: folder of the TensorFlow Datasets.
      with_images: whether to load classifiers and images, and show some.
    """
    pictures, shown = [_curves(found)], None
    notes = [files.presentable(str(note)) for one in found for note in one.found["notes"]]
    if with_images:
        try:
            loaded = [again.prepare(one, data_dir).evaluator for one in found]
        except (ValueError, TypeError) as error:
            notes.append(f"Left out: images and explorer: {error}")
            say(f"left out: images and explorer: {error}")
        else:
            if len(found) == 2:
                pictures.append(breaking.contrasted(found, loaded))
            pictures += [breaking.broken(one, evaluator) for one, evaluator in zip(found, loaded)]
            shown = _explorer(found, loaded)
    verdicts = zip(_letters(found), (one.found["verdict"] for one in found))
    return markup.Evaluation(
        f"{' and '.join(_names(found))} on {found[0].found['dataset']}",
        [f"{letter}{files.presentable(verdict)}" for letter, verdict in verdicts],
        [*_tables(found), *_compared(found)],
        list(dict.fromkeys(notes)),
        [picture for picture in pictures if picture],
        shown,
    )


def _names(found: Sequence[Evaluated]) -> list[str]:
    """Returns the classifiers' names, of two behind the letters that they have in the tables."""
    names = (files.presentable(one.found["classifier"]) for one in found)
    return [f"{letter}{name}" for letter, name in zip(_letters(found), names)]


def _letters(found: Sequence[Evaluated]) -> Sequence[str]:
    return ("A: ", "B: ") if len(found) > 1 else ("",)


def _tables(found: Sequence[Evaluated]) -> list[markup.Table]:
    header, by_class = ["accuracy"], ["class", "images"]
    measures = dict.fromkeys(name for one in found for name in one.found["measures"])
    rows = [
        [name, *(cell for one in found for cell in _accuracy(one.found["measures"].get(name)))]
        for name in measures
    ]
    shown = [name for name in ("natural", "grid", "attack") if name in measures]
    for front in _letters(found):
        header += [f"{front}%", "95% interval"]
        by_class += [f"{front}{name}, %" for name in shown]
    class_rows = []
    for name, row in found[0].found["per_class"].items():
        theirs = (one.found["per_class"].get(name, {}) for one in found)
        cells = [_percent(each.get(key)) for each in theirs for key in shown]
        class_rows.append([files.presentable(name), str(row["images"]), *cells])
    images = f"{len(found[0].labels):,} images"
    return [
        markup.Table(f"Accuracy, {images}", header, rows),
        markup.Table("By class", by_class, class_rows),
    ]


def _accuracy(row: dict[str, float] | None) -> tuple[str, str]:
    if row is None:
        return "-", "-"
    return _percent(row["accuracy"]), f"{_percent(row['low'])} to {_percent(row['high'])}"


def _percent(share: float | None) -> str:
    return "-" if share is None else tables.rounded(100 * share, 1)


def _compared(found: Sequence[Evaluated]) -> list[markup.Table]:
    """Returns the table of what two classifiers do with the same images, measure by measure."""
    if len(found) != 2:
        return []
    differences = paired.compare(found[0].pair, found[1].right)
    rows = []
    for each in differences:
        by, low, high = (
            tables.rounded(100 * share, 1, "+")
            for share in (each.after - each.before, each.low, each.high)
        )
        p = "-" if each.p is None else f"{each.p:.2g}"
        rows.append(
            [each.measure, f"{by} ({low} to {high})", str(len(each.lost)), str(len(each.gained)), p]
        )
    header = ["accuracy", "B - A, points", "only A right", "only B right", "p"]
    return [markup.Table("B beside A, image by image", header, rows, _PAIRED)]


def _curves(found: Sequence[Evaluated]) -> markup.Picture | None:
    """Returns a chart for each axis, if all evaluations have profiles."""
    profiles = [one.found["axes"] for one in found if one.found.get("axes")]
    if len(profiles) < len(found):
        return None
    names = "AB" if len(found) > 1 else [""]
    percent = [
        {axis: (row["values"], 100 * np.asarray(row["right"])) for axis, row in profile.items()}
        for profile in profiles
    ]
    by_axis = {axis: {n: each[axis] for n, each in zip(names, percent)} for axis in percent[0]}
    drawn = figures.along_axes(by_axis)
    return markup.Picture("svg+xml", figures.to_svg(drawn), *_ALONG, wide=True)


def _explorer(found: Sequence[Evaluated], loaded: Sequence[Evaluator]) -> markup.Explorer | None:
    counts = found[0].found["flags"].get("grid_counts")
    counts = None if counts is None else tuple(map(int, counts.split(",")))
    evaluators = dict(zip(_names(found), loaded))
    numbers = breaking.to_explore(found, loaded[0].labels)
    return explorer.explore(evaluators, numbers, breaking.class_names(loaded[0]), counts)
