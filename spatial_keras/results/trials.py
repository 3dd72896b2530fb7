"""The trials of a search as a table and as curves over lambda."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from spatial_keras import figures
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results import curves, table
from spatial_keras.results.run_results import Results
from spatial_keras.results.variants import Variant, grouped
from spatial_keras.support import tables

_MEASURES = {"natural": 1, "random": 1, "grid": 1, "seconds_per_step": 4}


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
      number: from 1 on, in the order in which they began.
      config: of its run.
      results: of its run; None if it diverged.
    """

    number: int
    config: RunConfig
    results: Results | None

    @property
    def rank(self) -> tuple[float, ...]:
        """Sorts the best first: by grid, then by natural accuracy on the held-out images."""
        if self.results is None:
            return (1.0, 1.0, self.number)
        accuracies = self.results.accuracies.measured
        return (-accuracies["grid"], -accuracies["natural"], self.number)

    def chosen(self, name: str) -> float:
        """Returns what was chosen for it: a flag, or the number of its search, such as "k"."""
        row = self.config.row
        if row.search is not None and name == row.number:
            return row.search.arguments[name]
        return getattr(self.config, "lambda_" if name == "lambda" else name)

    def measured(self) -> list[str]:
        """Returns the cells of what it found."""
        if self.results is None:
            return ["diverged", *[table.NONE] * (len(_MEASURES) - 1)]
        measure = self.results.measure
        return [table.number(measure(name), digits) for name, digits in _MEASURES.items()]


@dataclasses.dataclass(frozen=True)
class Trials:
    """The trials of a search, the best first.

    Attributes:
      trials: all that ended.
      chosen: what differs between them, such as "lambda"; "k" for that of the defense.
    """

    trials: Sequence[Trial]
    chosen: Sequence[str]

    @property
    def header(self) -> list[str]:
        """The columns' names."""
        columns = ("natural, %", "random, %", "grid, %", "seconds per step")
        return ["trial", *self.chosen, *columns]

    def rows(self) -> list[list[str]]:
        """Returns the cells, a row for each trial."""
        rows = []
        for trial in self.trials:
            values = [f"{trial.chosen(name):g}" for name in self.chosen]
            rows.append([str(trial.number), *values, *trial.measured()])
        return rows

    def to_markdown(self, title: str, caption: str) -> str:
        """Returns the table with a title and a caption."""
        return f"# {title}\n\n{tables.markdown(self.header, self.rows())}\n\n{caption}\n"

    def to_csv(self) -> str:
        """Returns the table's cells; nothing where there is no number."""
        rows = [[None if cell == table.NONE else cell for cell in row] for row in self.rows()]
        return tables.to_csv(self.header, rows)

    def curves(self) -> list[figures.Curve]:
        """Returns grid and natural accuracy over lambda, a curve for each defense.

        Only of trials with the most steps; there are no curves if lambda is not chosen.
        """
        if "lambda" not in self.chosen:
            return []
        most = max(trial.config.steps for trial in self.trials)
        found = [trial.results for trial in self.trials if trial.config.steps == most]
        variants = [Variant(results.setting, [results]) for results in found if results]
        lines = grouped(variants, lambda variant: variant.setting.defense)
        return [curves.of_lambda(lines[name], lines[name][0].search) for name in sorted(lines)]
