"""The trials of a search as a table and as curves over lambda."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

from spatial_keras import figures
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results import table, variants
from spatial_keras.results.variants import Variant
from spatial_keras.training import defenses

_NONE = "-"
_MEASURES = ("natural", "random", "grid")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
      number: from 1 on, in the order in which they began.
      config: of its run.
      results: what it wrote into results.json; None if it diverged.
    """

    number: int
    config: RunConfig
    results: dict[str, Any] | None

    @property
    def rank(self) -> tuple[float, ...]:
        """Sorts the best first: by grid, then by natural accuracy on the held-out images."""
        if self.results is None:
            return (1.0, 1.0, self.number)
        accuracies = self.results["accuracies"]
        return (-accuracies["grid"], -accuracies["natural"], self.number)


@dataclasses.dataclass(frozen=True)
class Trials:
    """The trials of a search, the best first.

    Attributes:
      trials: all that ended.
      chosen: the flags that differ between them, such as "lambda"; "k" for that of the defense.
    """

    trials: Sequence[Trial]
    chosen: Sequence[str]

    @property
    def header(self) -> list[str]:
        """The columns' names."""
        accuracies = [f"{name}, %" for name in _MEASURES]
        return ["trial", *self.chosen, *accuracies, "seconds per step"]

    def rows(self) -> list[list[str]]:
        """Returns the cells, a row for each trial."""
        return [
            [
                str(trial.number),
                *(f"{_value(trial, name):g}" for name in self.chosen),
                *_found(trial),
            ]
            for trial in self.trials
        ]

    def to_markdown(self, title: str, caption: str) -> str:
        """Returns the table with a title and a caption."""
        return f"# {title}\n\n{table.markdown_table(self.header, self.rows())}\n\n{caption}\n"

    def to_csv(self) -> str:
        """Returns the table's cells; nothing where there is no number."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([["" if c == _NONE else c for c in row] for row in self.rows()])
        return text.getvalue()

    def curves(self) -> list[figures.Curve]:
        """Returns grid and natural accuracy over lambda, a curve for each defense.

        Only of trials with the most steps; there are no curves if lambda is not chosen.
        """
        if "lambda" not in self.chosen:
            return []
        most = max(trial.config.steps for trial in self.trials)
        by_defense: dict[str, list[Variant]] = {}
        for trial in self.trials:
            if trial.config.steps == most and trial.results:
                by_defense.setdefault(trial.config.defense, []).append(_variant(trial))
        lines = (by_defense[name] for name in sorted(by_defense))
        return [variants.lambda_curve(line, line[0].search) for line in lines]


def _value(trial: Trial, name: str) -> float:
    if name == "k":
        return defenses.get(trial.config.defense).search.arguments["k"]
    return trial.config.lambda_ if name == "lambda" else getattr(trial.config, name)


def _found(trial: Trial) -> list[str]:
    if trial.results is None:
        return ["diverged", *[_NONE] * len(_MEASURES)]
    accuracies = [f"{100 * trial.results['accuracies'][name]:.1f}" for name in _MEASURES]
    seconds = trial.results["timing"]["seconds_per_step"]
    return [*accuracies, _NONE if seconds is None else f"{seconds:.4f}"]


def _variant(trial: Trial) -> Variant:
    """Returns a trial as the variant of a single run."""
    defense = defenses.get(trial.config.defense)
    row = table.Row(defense.name, [trial.results], [])
    return Variant(defense, trial.config.lambda_, {}, row)
