"""The trials of a search as a table and as curves over lambda."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_keras import comparison, defenses, figures
from spatial_keras.gallery.settings import Setting

_NONE = "-"
_MEASURES = ("natural", "random", "grid")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
      number: from 1 on, in the order in which they began.
      value: the values of the experiment's flags by name.
      results: what it wrote into results.json; None if it diverged.
    """

    number: int
    value: dict[str, Any]
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
        lines = [self.header, ["---"] * len(self.header), *self.rows()]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"# {title}\n\n{table}\n\n{caption}\n"

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
        most = max(trial.value["steps"] for trial in self.trials)
        by_defense: dict[str, list[Trial]] = {}
        for trial in self.trials:
            if trial.value["steps"] == most and trial.results:
                by_defense.setdefault(trial.value["defense"], []).append(trial)
        return [_curve(name, by_defense[name]) for name in sorted(by_defense)]


def _value(trial: Trial, name: str) -> float:
    return defenses.get(trial.value["defense"]).k if name == "k" else trial.value[name]


def _found(trial: Trial) -> list[str]:
    if trial.results is None:
        return ["diverged", *[_NONE] * len(_MEASURES)]
    accuracies = [f"{100 * trial.results['accuracies'][name]:.1f}" for name in _MEASURES]
    seconds = trial.results["timing"]["seconds_per_step"]
    return [*accuracies, _NONE if seconds is None else f"{seconds:.4f}"]


def _curve(defense: str, trials: Sequence[Trial]) -> figures.Curve:
    trials = sorted(trials, key=lambda trial: trial.value["lambda"])
    row = comparison.Row(defense, [trial.results for trial in trials], [])
    setting = Setting(defenses.get(defense), None, {}, row)
    name = ", ".join(part for part in (setting.method, setting.batch, setting.search) if part)
    accuracies = [[trial.results["accuracies"][m] for m in ("grid", "natural")] for trial in trials]
    grid, natural = (
        np.stack([100 * values, np.zeros(len(values))], axis=1)
        for values in np.transpose(accuracies)
    )
    lambdas = np.array([trial.value["lambda"] for trial in trials])
    return figures.Curve(name, setting.method, lambdas, grid, natural)
