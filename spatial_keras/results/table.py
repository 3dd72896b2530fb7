"""Runs of several defenses as a table."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

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
      diverged: the seeds of those that diverged.
      unfinished: the seeds of those that other processes are at work on.
      damaged: the seeds of those whose folders cannot be read.
    """

    defense: str
    results: Sequence[dict[str, Any]]
    diverged: Sequence[int]
    unfinished: Sequence[int] = ()
    damaged: Sequence[int] = ()

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
        missing = {
            "diverged": self.diverged, "at work": self.unfinished, "damaged": self.damaged
        }  # fmt: skip
        runs = [f"({state}: {seeds(numbers)})" for state, numbers in missing.items() if numbers]
        return [self.defense, *texts, " ".join([str(len(self.results)), *runs])]


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


def seeds(numbers: Sequence[int]) -> str:
    """Returns seeds in words."""
    return f"seed{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
