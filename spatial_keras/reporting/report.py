"""What the page says of the runs: their table and figures, and how each was made."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spatial_keras import figures
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.experiments import train
from spatial_keras.reporting import markup, plot
from spatial_keras.results import folders, runs_csv, table, variants
from spatial_keras.support import files

# Figure -> (for readers who do not see it, caption).
_OF_RUNS = {
    "cost": (
        "A point for each defense: seconds per training step against grid accuracy in percent.",
        "Grid accuracy against the time of a training step: means, with bars of one standard "
        "error. Lines join the Wo-k of one regularizer; of several weights λ the paper's is drawn.",
    ),
    "lambda": (
        "Two charts of accuracy in percent against the weight λ, a curve for each regularizer.",
        "Grid accuracy, above, and natural accuracy, below, against the weight λ of the "
        "regularizer: means, with bars of one standard error.",
    ),
}
_OF_CLASSIFIER = {
    "rotations": (
        "One test image in seven rotations, the prediction below each.",
        "A test image over its rotations, the first that one of them breaks, with the predictions "
        "of {}, of the runs with a classifier the one of the highest grid accuracy. Wrong ones are "
        "framed and crossed.",
    ),
    "failures": (
        "A map with a row for each image and a column for each rotation, coloured where wrong.",
        "The rotations at which {} is wrong, for each of the first 100 test images.",
    ),
}
_EXAMPLES = (
    "Test images above their worst transformations, the prediction above each.",
    "The first test images, their worst transformations found, and the predictions.",
)
_SECONDS = {
    "seconds_per_step": "seconds per step",
    "seconds_per_search": "of them in the search",
    "seconds_per_gradient": "of them beyond it",
}

# What train.py wrote into results.json, by the run's folder.
_Runs = Mapping[pathlib.Path, Mapping[str, Any]]


@dataclasses.dataclass
class Page:
    """A page about the runs of a folder.

    Attributes:
      folder: the runs are in it, at any depth.
      finished: results by the run's folder.
      unfinished: folders of the runs without results.
      damaged: of each run that is left out, a line that says why.
      best_run: whether to draw what the best run's classifier does.
      data_dir: folder of its images.
      output: the HTML file.
    """

    folder: pathlib.Path
    finished: _Runs
    unfinished: Sequence[pathlib.Path]
    damaged: Sequence[str]
    best_run: bool
    data_dir: str | None
    output: pathlib.Path

    def write(self, say: Callable[[str], Any]) -> pathlib.Path:
        """Draws the figures and writes the page; returns its file.

        Runs that cannot be in one table, such as those of 400 and of 800 steps, get several.

        Args:
          say: called with a line for each run that cannot be read, and each figure that cannot be
            drawn; they are left out.
        """
        for line in self.damaged:
            say(f"left out: {line}.")
        lots = variants.comparable(self.finished)
        sections = [self._section(name, runs, say) for name, runs in lots.items()]
        unfinished = [self._name(run) for run in self.unfinished]
        made = datetime.datetime.now().astimezone().replace(microsecond=0)
        text = markup.page(
            _title(self.finished), sections, len(self.finished), unfinished, self.damaged, made
        )
        self.output.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(self.output, text)
        files.write_text(self.csv, runs_csv.to_csv(self.finished.values()))
        return self.output

    @property
    def csv(self) -> pathlib.Path:
        """The CSV file with a line for each run."""
        return self.output.with_suffix(".csv")

    def _name(self, run: pathlib.Path) -> str:
        """Returns the run's folder within that of all runs."""
        within = run.relative_to(self.folder)
        return within.as_posix() if within.parts else run.resolve().name

    def _section(self, name: str, runs: _Runs, say: Callable[[str], Any]) -> markup.Section:
        """Returns what there is to say of runs that can be compared."""
        pictures, left_out = self._figures(runs)
        for line in left_out:
            say(f"left out: {line}")
        details = [self._details(run, results) for run, results in runs.items()]
        return markup.Section(
            name or "Results", *_results(runs), _common(runs), pictures, left_out, details
        )

    def _figures(self, runs: _Runs) -> tuple[list[markup.Picture], list[str]]:
        """Returns the figures, and of each that cannot be drawn the reason."""
        captions, pictures, left_out = _OF_RUNS, [], []
        best = _best(runs) if self.best_run else None
        if best:
            captions = {**_OF_RUNS, **_OF_CLASSIFIER}
        elif self.best_run:
            left_out.append(f"{', '.join(_OF_CLASSIFIER)}: no run has its classifier.keras.")
        results, run = list(runs.values()), str(best) if best else None
        drawing = plot.Gallery(
            list(captions), False, results, run, self.data_dir, None, self.output.parent
        )
        for name, (alt, caption) in captions.items():
            try:
                svg = figures.to_svg(plot.FIGURES[name](drawing))
            except ValueError as error:
                left_out.append(f"{name}: {str(error).removeprefix(f'{name}: ')}")
            else:
                caption = caption.format(best and self._name(best))
                wide = name == "rotations"
                pictures.append(markup.Picture("svg+xml", svg, alt, caption, wide))
        return pictures, left_out

    def _details(self, run: pathlib.Path, results: Mapping[str, Any]) -> markup.Run:
        """Returns a run's numbers, command and examples."""
        facts = _facts(results)
        summary = ", ".join(f"{name} {facts[name]}" for name in results["accuracies"])
        texts = (f"--{name}={text}" for name, text in results["flags"].items())
        command = [shlex.quote(word) for word in ("spatial-keras", "train", *texts)]
        examples = None
        with contextlib.suppress(OSError):  # it has none
            content = (run / "examples.png").read_bytes()
            examples = markup.Picture("png", content, *_EXAMPLES, wide=True)
        return markup.Run(self._name(run), summary, list(facts.items()), command, examples)


def prepare(config: ReportConfig) -> Page:
    """Reads the results of the runs.

    Raises:
      ValueError: there is no finished run.
    """
    folder = pathlib.Path(config.runs)
    found = folders.find(folder)
    if not found.finished:
        reasons = "; ".join([f"there is no finished run in '{folder}'", *found.damaged])
        raise ValueError(f"--runs: {reasons}.")
    return Page(
        folder,
        found.finished,
        found.unfinished,
        found.damaged,
        config.best_run,
        config.data_dir,
        config.file,
    )


def _title(runs: _Runs) -> str:
    datasets, networks = (
        ", ".join(dict.fromkeys(run["flags"].get(name, "?") for run in runs.values()))
        for name in ("dataset", "model")
    )
    return f"Defenses on {datasets}: {networks}"


def _results(runs: _Runs) -> tuple[list[str], list[list[str]], list[tuple[int, int]]]:
    """Returns the table of the defenses by variant: header, rows, and the cells that are best."""
    found = sorted(variants.group(list(runs.values())), key=_grid_accuracy, reverse=True)
    grid, _ = table.COLUMNS["grid"]
    rows = []
    for name, one in zip(variants.point_names(found), found):
        _, *cells = (cell.replace("± ", "±\N{NO-BREAK SPACE}") for cell in one.row.cells())
        rows.append([name, *cells])
    columns = [header for header, _ in table.COLUMNS.values()]
    header = ["defense", *columns, "runs"]
    highest = _grid_accuracy(found[0])
    best = [i for i, one in enumerate(found) if np.isclose(_grid_accuracy(one), highest)]
    return header, rows, [(i, header.index(grid)) for i in best]


def _grid_accuracy(one: variants.Variant) -> float:
    mean, _ = one.row.statistics("grid")
    return -np.inf if mean is None else mean


def _common(runs: _Runs) -> list[str]:
    """Returns what all runs have in common: flags, images they were evaluated on, versions."""
    first, *others = (
        [
            *(f"--{name}={text}" for name, text in run["flags"].items()),
            train.evaluated_on(run),
            *(f"{name}={version}" for name, version in run.get("versions", {}).items()),
        ]
        for run in runs.values()
    )
    return [text for text in first if all(text in other for other in others)]


def _best(runs: _Runs) -> pathlib.Path | None:
    """Returns the run of the highest grid accuracy, of those with a classifier."""
    having = [run for run in runs if (run / "classifier.keras").exists()]
    return max(having, key=lambda run: runs[run]["accuracies"].get("grid", 0), default=None)


def _facts(results: Mapping[str, Any]) -> dict[str, str]:
    """Returns what there is to know of a run beside its flags: name -> text."""
    facts = {name: f"{100 * value:.2f}%" for name, value in results["accuracies"].items()}
    facts["evaluated on"] = train.evaluated_on(results)
    facts["training steps"] = str(results.get("steps", "?"))
    for name, text in _SECONDS.items():
        seconds = results["timing"].get(name)
        facts[text] = "-" if seconds is None else f"{seconds:.4f}"
    return {**facts, **results.get("versions", {})}
