"""What the page says of the runs: their table and figures, and how each was made."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import pathlib
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spatial_keras import figures
from spatial_keras.configuration.plot_config import PlotConfig
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.reporting import evaluated, markup, plot
from spatial_keras.results import comparison, evaluations, folders, runs_csv, table, variants
from spatial_keras.results.run_results import Results
from spatial_keras.support import files, tables

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
    "Test images, transformations that break them or else the worst found, and the predictions.",
)
_COMPARED = (
    "Differences of accuracies in points; in brackets 95% intervals over the seeds, of a single "
    "pair over its test images."
)
_SECONDS = {
    "seconds_per_step": "seconds per step",
    "seconds_per_search": "of them in the search",
    "seconds_per_gradient": "of them beyond it",
}

# By the run's folder.
_Runs = Mapping[pathlib.Path, Results]


@dataclasses.dataclass
class Page:
    """A page about the runs of a folder.

    Attributes:
      config: which runs, and where the page is written.
      runs: what there is of them.
    """

    config: ReportConfig
    runs: folders.Runs

    def write(self, say: Callable[[str], Any]) -> pathlib.Path:
        """Draws the figures and writes the page; returns its file.

        Runs that cannot be in one table, such as those of 400 and of 800 steps, get several.

        Args:
          say: called with a line for each run that cannot be read, and each figure that cannot be
            drawn; they are left out.
        """
        runs, file = self.runs, self.config.file
        for line in runs.damaged:
            say(f"left out: {line}.")
        lots = variants.comparable(runs.finished)
        sections = [self._section(name, lot, say) for name, lot in lots.items()]
        unfinished = [self._name(run) for run in runs.unfinished]
        made = datetime.datetime.now().astimezone().replace(microsecond=0)
        text = markup.page(
            _title(runs.finished), made, sections, unfinished, runs.damaged, self.compared
        )
        files.write_text(file, text)
        files.write_text(self.csv, runs_csv.to_csv(runs.finished.values()))
        return file

    @functools.cached_property
    def compared(self) -> markup.Table | None:
        """The two defenses of `--compare`, compared; None without."""
        if not self.config.compare:
            return None
        baseline, defense = self.config.compare
        found = comparison.compare(self.runs.finished, baseline, defense)
        header, rows = comparison.table(found, baseline, defense)
        return markup.Table(f"{defense} against {baseline}", header, rows, _COMPARED)

    @property
    def csv(self) -> pathlib.Path:
        """The CSV file with a line for each run."""
        return self.config.file.with_suffix(".csv")

    def _name(self, run: pathlib.Path) -> str:
        """Returns the run's folder within that of all runs."""
        within = run.relative_to(self.config.runs)
        return within.as_posix() if within.parts else run.resolve().name

    def _section(self, name: str, runs: _Runs, say: Callable[[str], Any]) -> markup.Section:
        """Returns what there is to say of runs that can be compared."""
        best = _best(runs) if self.config.best_run else None
        pictures, left_out = self._figures(runs, best)
        for line in left_out:
            say(f"left out: {line}")
        details = [
            self._details(run, results, self._evaluation(run, run == best, say))
            for run, results in runs.items()
        ]
        return markup.Section(
            name or "Results", *_results(runs), _common(runs), pictures, left_out, details
        )

    def _figures(
        self, runs: _Runs, best: pathlib.Path | None
    ) -> tuple[list[markup.Picture], list[str]]:
        """Returns the figures, and of each that cannot be drawn the reason."""
        captions, pictures, left_out = _OF_RUNS, [], []
        of_best: dict[str, Any] = {}
        if best:
            captions = {**_OF_RUNS, **_OF_CLASSIFIER}
            of_best = {"run": str(best), "data_dir": self.config.data_dir}
        elif self.config.best_run:
            left_out.append(f"{', '.join(_OF_CLASSIFIER)}: no run has its classifier.keras.")
        drawing = plot.Gallery(PlotConfig(figures=tuple(captions), **of_best), list(runs.values()))
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

    def _evaluation(
        self, run: pathlib.Path, with_images: bool, say: Callable[[str], Any]
    ) -> markup.Evaluation | None:
        """Returns what evaluate found of a run, if it did."""
        file = run / evaluations.OF_RUN
        if not file.exists():
            return None
        try:
            found = evaluations.read(file)
        except ValueError as error:
            say(f"left out: {error}")
            return None
        return evaluated.section([found], say, self.config.data_dir, with_images)

    def _details(
        self, run: pathlib.Path, results: Results, evaluation: markup.Evaluation | None
    ) -> markup.Run:
        """Returns a run's numbers, command and examples."""
        facts = _facts(results)
        summary = ", ".join(f"{name} {facts[name]}" for name in results.accuracies.measured)
        texts = (f"--{name}={text}" for name, text in results.config.texts().items())
        command = [shlex.quote(word) for word in ("spatial-keras", "train", *texts)]
        examples = None
        with contextlib.suppress(OSError):  # it has none
            content = files.regular(run / "examples.png").read_bytes()
            examples = markup.Picture("png", content, *_EXAMPLES, wide=True)
        numbers = list(facts.items())
        return markup.Run(self._name(run), summary, numbers, command, examples, evaluation)


def prepare(config: ReportConfig) -> Page:
    """Reads the results of the runs.

    Raises:
      ValueError: there is no finished run.
    """
    runs = folders.find(pathlib.Path(config.runs))
    if not runs.finished:
        reasons = "; ".join([f"there is no finished run in '{config.runs}'", *runs.damaged])
        raise ValueError(f"--runs: {reasons}.")
    return Page(config, runs)


def _title(runs: _Runs) -> str:
    datasets, networks = (
        ", ".join(dict.fromkeys(getattr(results.config, name) for results in runs.values()))
        for name in ("dataset", "model")
    )
    return f"Defenses on {datasets}: {networks}"


def _results(runs: _Runs) -> tuple[list[str], list[list[str]], list[tuple[int, int]]]:
    """Returns the table of the defenses by variant: header, rows, and the cells that are best."""
    found = sorted(variants.group(runs.values()), key=_grid_accuracy, reverse=True)
    rows = []
    for name, variant in zip(variants.names(found), found):
        _, *cells = (cell.replace("± ", "±\N{NO-BREAK SPACE}") for cell in variant.row.cells())
        rows.append([name, *cells])
    columns = [header for header, _ in table.COLUMNS.values()]
    best = [np.isclose(_grid_accuracy(variant), _grid_accuracy(found[0])) for variant in found]
    place = 1 + list(table.COLUMNS).index("grid")
    return ["defense", *columns, "runs"], rows, [(i, place) for i in np.flatnonzero(best)]


def _grid_accuracy(variant: variants.Variant) -> float:
    mean, _ = variant.row.statistics("grid")
    return 0.0 if mean is None else mean


def _common(runs: _Runs) -> list[str]:
    """Returns what all runs have in common: flags, images they were evaluated on, versions."""
    first, *others = (
        [
            *(f"--{name}={text}" for name, text in results.config.texts().items()),
            results.evaluated_on,
            *(f"{name}={version}" for name, version in results.versions.items()),
        ]
        for results in runs.values()
    )
    return [text for text in first if all(text in other for other in others)]


def _best(runs: _Runs) -> pathlib.Path | None:
    """Returns the run of the highest grid accuracy, of those with a classifier."""
    having = [run for run in runs if (run / "classifier.keras").exists()]
    return max(having, key=lambda run: runs[run].accuracies.measured["grid"], default=None)


def _facts(results: Results) -> dict[str, str]:
    """Returns what there is to know of a run beside its flags: name -> text."""
    shares = results.accuracies.measured.items()
    facts = {name: f"{tables.rounded(100 * share, 2)}%" for name, share in shares}
    facts["evaluated on"] = results.evaluated_on
    facts["training steps"] = str(results.config.steps)
    for name, text in _SECONDS.items():
        facts[text] = table.number(results.measure(name), 4)
    return {**facts, **results.versions}
