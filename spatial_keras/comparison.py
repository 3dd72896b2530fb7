"""Defenses side by side: each trained with several seeds, and the paper's table of them."""

from __future__ import annotations

import csv
import dataclasses
import gc
import io
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from spatial_keras import (
    command_line,
    data,
    defenses,
    experiment,
    files,
    run_folder,
    validation,
)
from spatial_keras.checkpoints import DivergedError

# What a table has flags of its own for.
_OWN = ("defense", "seed", "output_dir")

# Group, as --help shows them -> (kind, name, default, [choices,] what it is).
FLAGS = {
    "Table": (
        (flags.DEFINE_list, "defenses", None,
         "Rows of the README's table with commas between, e.g. std,std_star,wo10_kl."),
        (flags.DEFINE_integer, "seeds", 3, "Runs of each defense, with the seeds 0, 1, ..."),
        (flags.DEFINE_string, "output_dir", None,
         "Folder of the table and of its runs, in which the same command goes on; default: "
         "runs/tables/DATASET."),
    ),
    **{
        group: tuple(flag for flag in definitions if flag[1] not in _OWN)
        for group, definitions in experiment.FLAGS.items()
    },
}  # fmt: skip

# Measure -> (its column in Markdown, decimals there). Accuracies are in %.
COLUMNS = {
    "natural": ("natural, %", 2),
    "random": ("random, %", 2),
    "grid": ("grid, %", 2),
    "seconds_per_step": ("seconds per step", 4),
}
# In CSV there are also these.
MEASURES = (*COLUMNS, "seconds_per_search", "seconds_per_gradient")
_NONE = "-"


def forget_models() -> None:
    """Frees the memory of models that were trained before, in a process that trains several.

    Even so one graph stays for every `fit`: 9 MB for a ResNet-8.
    """
    tf.keras.backend.clear_session()
    gc.collect()


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown, without a last line break."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def mean_and_error(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Returns the mean and its standard error, each None where there are too few values."""
    if not values:
        return None, None
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None
    return float(np.mean(values)), error


@dataclasses.dataclass(frozen=True)
class Row:
    """The runs of one defense.

    Attributes:
      defense: its name.
      results: what the runs that came to their end wrote into results.json.
      diverged: the seeds of the others.
    """

    defense: str
    results: Sequence[dict[str, Any]]
    diverged: Sequence[int]

    def statistics(self, measure: str) -> tuple[float | None, float | None]:
        """Returns mean and standard error of a measure over the runs that have it."""
        found = [{**r["accuracies"], **r["timing"]}.get(measure) for r in self.results]
        scale = 1 if measure.startswith("seconds") else 100
        return mean_and_error([scale * value for value in found if value is not None])

    def cells(self) -> list[str]:
        """Returns the row for people: the defense, "mean ± error" of each column, the runs."""
        texts = []
        for measure, (_, decimals) in COLUMNS.items():
            mean, error = (
                _NONE if value is None else f"{value:.{decimals}f}"
                for value in self.statistics(measure)
            )
            texts.append(_NONE if mean == _NONE else f"{mean} ± {error}")
        runs = str(len(self.results))
        if self.diverged:
            runs += f" (diverged: {_seeds(self.diverged)})"
        return [self.defense, *texts, runs]


@dataclasses.dataclass(frozen=True)
class Table:
    """The paper's table: of every defense natural, random and grid accuracy and the cost of a step.

    Attributes:
      title: of what.
      caption: how the numbers came about.
      command: makes the table.
      rows: one per defense.
    """

    title: str
    caption: str
    command: str
    rows: Sequence[Row]

    @property
    def header(self) -> list[str]:
        """The columns' names, for people."""
        return ["defense", *(header for header, _ in COLUMNS.values()), "runs"]

    def to_markdown(self) -> str:
        """Returns the table with its caption."""
        table = markdown_table(self.header, [row.cells() for row in self.rows])
        return f"# {self.title}\n\n{table}\n\n{self.caption}\n\n```bash\n{self.command}\n```\n"

    def to_csv(self) -> str:
        """Returns a line per defense; accuracies in %, nothing where there is no number."""
        statistics = [f"{measure}_{name}" for measure in MEASURES for name in ("mean", "error")]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["defense", "runs", "diverged", *statistics])
        for row in self.rows:
            numbers = [value for measure in MEASURES for value in row.statistics(measure)]
            texts = ["" if number is None else f"{number:.6g}" for number in numbers]
            writer.writerow([row.defense, len(row.results), len(row.diverged), *texts])
        return text.getvalue()


@dataclasses.dataclass
class Comparison:
    """The runs of a table, ready to start or to go on.

    Attributes:
      runs: of each run the values of the experiment's flags, defense by defense.
      folder: where the runs' folders lie and the table will.
      dataset: the images; None if all runs are finished.
    """

    runs: list[dict[str, Any]]
    folder: pathlib.Path
    dataset: data.Dataset | None

    def run(self, command: str, say: Callable[[str], Any]) -> Table:
        """Trains and evaluates what is not finished, and writes table.md and table.csv.

        A run that diverges is named in the table; started again, it goes on from its last
        checkpoint and diverges again.

        Args:
          command: what the table says it was made by.
          say: called with a line at each run.
        """
        outcomes = []
        for number, value in enumerate(self.runs, 1):
            line = f"run {number} of {len(self.runs)}: {value['defense']}, seed {value['seed']}"
            results = _finished(value)
            if results is not None:
                say(f"{line}, finished before")
            else:
                say(line)
                forget_models()
                results = _train(value, self.dataset, say)
            outcomes.append((value, results))
        table = self._table(command, outcomes)
        files.write_text(self.folder / "table.md", table.to_markdown())
        files.write_text(self.folder / "table.csv", table.to_csv())
        return table

    def _table(self, command: str, outcomes: list[tuple[dict, dict | None]]) -> Table:
        rows = []
        for name in dict.fromkeys(value["defense"] for value in self.runs):
            mine = [(value["seed"], found) for value, found in outcomes if value["defense"] == name]
            results = [found for _, found in mine if found is not None]
            rows.append(Row(name, results, [seed for seed, found in mine if found is None]))
        results = [found for _, found in outcomes if found is not None]
        return Table(
            f"Defenses on {self.runs[0]['dataset']}", self._caption(results), command, rows
        )

    def _caption(self, results: list[dict[str, Any]]) -> str:
        value = self.runs[0]
        if not results:  # all diverged
            images = self.dataset.test_images[: value["test_images"]]
            found = {"flags": experiment.settings(value), "versions": experiment.versions()}
            results = [{"test_images": len(images), **found}]
        seeds = _seeds(list(dict.fromkeys(run["seed"] for run in self.runs)))
        # A table that was gone on with elsewhere may have several.
        versions = dict.fromkeys(
            ", ".join(f"{name} {version}" for name, version in found["versions"].items())
            for found in results
        )
        return (
            f"Mean ± standard error over the seeds. Data set: {value['dataset']}; network: "
            f"{value['model']}, width {value['width']:g}; {value['steps']:,} steps; batch size "
            f"{value['batch_size']}; {experiment.evaluated_on(results[0])}; {seeds}; "
            f"{' and '.join(versions)}. Made by"
        )


def prepare(flag_values: flags.FlagValues = flags.FLAGS) -> Comparison:
    """Checks all runs of the table that the flags describe, before the first one trains.

    Raises:
      ValueError: a flag's value is not allowed, or flags do not go together.
    """
    value = command_line.values(FLAGS, flag_values)
    chosen = _defenses(value)
    validation.check_integer("--seeds", value["seeds"], 1)
    folder = pathlib.Path(value["output_dir"] or f"runs/tables/{value['dataset']}")
    runs = [_run(value, one, seed, folder) for one in chosen for seed in range(value["seeds"])]
    for run in runs:
        experiment.check(run)
        run_folder.check(pathlib.Path(run["output_dir"]), experiment.settings(run))
    dataset = None
    if not all(map(_finished, runs)):
        dataset = experiment.load_images(runs[0])
        classifier = experiment.build_classifier(runs[0], dataset)
        for run in runs[:: value["seeds"]]:
            experiment.build_model(run, classifier)
    for run in runs:
        run_folder.RunFolder(run["output_dir"], experiment.settings(run))
    return Comparison(runs, folder, dataset)


def _defenses(value: dict[str, Any]) -> list[defenses.Defense]:
    names = value["defenses"]
    if not names:
        raise ValueError("give --defenses=NAME,NAME,..., e.g. --defenses=std,std_star,wo10_kl.")
    chosen = [defenses.get(name) for name in names]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--defenses has '{name}' {names.count(name)} times.")
    ineffective = [experiment.ineffective_flags(one).keys() for one in chosen]
    for name in set.intersection(*map(set, ineffective)):
        if value[name] is not None:
            raise ValueError(f"--{name} has no effect on any of --defenses={','.join(names)}.")
    return chosen


def _run(
    value: dict[str, Any], defense: defenses.Defense, seed: int, folder: pathlib.Path
) -> dict[str, Any]:
    """Returns the values of the experiment's flags for one run."""
    own = {"defense": defense.name, "seed": seed, "output_dir": None}
    names = command_line.names(experiment.FLAGS)
    run = {name: own[name] if name in own else value[name] for name in names}
    run.update(dict.fromkeys(experiment.ineffective_flags(defense)))
    return {**run, "output_dir": str(folder / experiment.run_name(run))}


def _finished(value: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the results of a run, None if it is not finished."""
    return run_folder.read_results(pathlib.Path(value["output_dir"]))


def _train(
    value: dict[str, Any], dataset: data.Dataset, say: Callable[[str], Any]
) -> dict[str, Any] | None:
    """Returns the results of a run; None if it diverged."""
    run = experiment.from_values(value, dataset)
    if run.checkpoints.step:
        say(f"going on from step {run.checkpoints.step} of {run.steps}")
    try:
        return run.run()
    except DivergedError as error:
        say(f"diverged: {error}")
        return None


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
