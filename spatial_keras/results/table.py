"""Runs of several defenses as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from spatial_keras.results.run_results import Results
from spatial_keras.support import tables

# Measure -> (its column for people, decimals there). Accuracies are in %.
COLUMNS = {
    "natural": ("natural, %", 2),
    "random": ("random, %", 2),
    "grid": ("grid, %", 2),
    "seconds_per_step": ("seconds per step", 4),
}
# In CSV there are also these.
_MEASURES = (*COLUMNS, "seconds_per_search", "seconds_per_gradient")
NONE = "-"


def mean_and_error(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Returns the mean and its standard error, each None where there are too few values."""
    if not values:
        return None, None
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None
    return float(np.mean(values)), error


def number(value: float | None, decimals: int) -> str:
    """Returns a number with so many decimals, or what stands for none."""
    return NONE if value is None else tables.rounded(value, decimals)


@dataclasses.dataclass(frozen=True)
class Row:
    """The runs of one defense.

    Attributes:
      name: the defense's.
      runs: the results of those that came to their end.
      diverged: the seeds of those that diverged.
      unfinished: the seeds of those that other processes are at work on.
      damaged: the seeds of those whose folders cannot be read.
    """

    name: str
    runs: Sequence[Results]
    diverged: Sequence[int] = ()
    unfinished: Sequence[int] = ()
    damaged: Sequence[int] = ()

    def statistics(self, measure: str) -> tuple[float | None, float | None]:
        """Returns mean and standard error of a measure over the runs that have it."""
        values = [results.measure(measure) for results in self.runs]
        return mean_and_error([value for value in values if value is not None])

    def cells(self) -> list[str]:
        """Returns the row for people: the defense, "mean ± error" of each column, the runs."""
        texts = []
        for measure, (_, decimals) in COLUMNS.items():
            mean, error = (number(value, decimals) for value in self.statistics(measure))
            texts.append(mean if error == NONE else f"{mean} ± {error}")
        missing = {"diverged": self.diverged, "at work": self.unfinished, "damaged": self.damaged}
        states = [f"({state}: {in_words(seeds)})" for state, seeds in missing.items() if seeds]
        return [self.name, *texts, " ".join([str(len(self.runs)), *states])]


@dataclasses.dataclass(frozen=True)
class Table:
    """The paper's table: of every defense natural, random and grid accuracy and the cost of a step.

    Attributes:
      title: of what.
      caption: how the numbers were measured.
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
        table = tables.markdown(self.header, [row.cells() for row in self.rows])
        return f"# {self.title}\n\n{table}\n\n{self.caption}\n\n```bash\n{self.command}\n```\n"

    def to_csv(self) -> str:
        """Returns a line per defense; accuracies in %, nothing where there is no number."""
        statistics = [f"{measure}_{name}" for measure in _MEASURES for name in ("mean", "error")]
        rows = []
        for row in self.rows:
            numbers = [value for measure in _MEASURES for value in row.statistics(measure)]
            rows.append([row.name, len(row.runs), len(row.diverged), *numbers])
        return tables.to_csv(["defense", "runs", "diverged", *statistics], rows)


def in_words(seeds: Sequence[int]) -> str:
    """Returns seeds in words, such as "seeds 0, 1"."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
