"""Report: the outcomes of an evaluation as tables, JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_keras.evaluation import verdict
from spatial_keras.evaluation.outcome import GridOutcome, Outcome
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.support import tables

_BINS = 12


class Report:
    """What several evaluations of the same images found.

    Args:
      outcomes: in the order in which they are shown.
      labels: class numbers, integer [n].
      class_names: the name of each class; the numbers by default.
      notes: what a reader should know.
      transformations: the set S of the evaluations; the paper's by default.
      size: (height, width) of the images; of the paper's by default.
    """

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        labels: np.ndarray,
        class_names: Sequence[str] | None = None,
        notes: Sequence[str] = (),
        transformations: TransformationSet | None = None,
        size: tuple[int, int] = (32, 32),
    ) -> None:
        self._transformations, self._size = transformations or TransformationSet(), size
        self._axes = self._transformations.axes
        self.outcomes = {outcome.name: outcome for outcome in outcomes}
        self.labels = labels
        self.class_names = class_names or [str(i) for i in range(int(labels.max()) + 1)]
        self.notes = [*notes, *self._found()]

    def _found(self) -> list[str]:
        if not {"grid", "attack"} <= self.outcomes.keys():
            return []
        standing = self.outcomes["grid"].right
        broken = int(np.sum(standing & ~self.outcomes["attack"].right))
        return [
            f"The attack broke {broken} of the {int(standing.sum())} images that the grid calls "
            "robust."
        ]

    @property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        accuracies = {name: outcome.accuracy for name, outcome in self.outcomes.items()}
        number = len(self.labels)
        return verdict.sentence(accuracies, number, self._transformations, *self._size)

    def measures(self) -> dict[str, dict[str, float]]:
        """Returns of each outcome accuracy, the ends of its 95% interval, passes and seconds."""
        table = {}
        for name, outcome in self.outcomes.items():
            low, high = outcome.interval
            table[name] = {
                "accuracy": outcome.accuracy, "low": low, "high": high,
                "passes": outcome.passes, "seconds": outcome.seconds,
            }  # fmt: skip
            if isinstance(outcome, GridOutcome):
                table[name]["exhaustive_passes"] = outcome.exhaustive
        return table

    def per_class(self) -> dict[str, dict[str, float]]:
        """Returns of each class that has images how many, and every accuracy on them."""
        table = {}
        for number, name in enumerate(self.class_names):
            members = self.labels == number
            if members.any():
                accuracies = {k: float(o.right[members].mean()) for k, o in self.outcomes.items()}
                table[name] = {"images": int(members.sum()), **accuracies}
        return table

    def worst_values(self) -> dict[str, dict[str, list[float]]] | None:
        """Returns which values of each axis the grid or, after it, the attack came to.

        Returns:
          Of each axis that has several, by its name: "edges" [bins + 1] in the axis's unit, and
          counts "broken" and "standing" [bins]; None if there is neither outcome.
        """
        outcome = self.outcomes.get("attack", self.outcomes.get("grid"))
        if outcome is None:
            return None
        table = {}
        for axis, values in zip(self._axes, outcome.transformations.T):
            low, high = axis.ends
            if low < high:
                edges = np.linspace(low, high, _BINS + 1)
                broken, standing = (
                    np.histogram(values[chosen], edges)[0].tolist()
                    for chosen in (~outcome.right, outcome.right)
                )
                table[axis.name] = {
                    "edges": edges.tolist(), "broken": broken, "standing": standing,
                }  # fmt: skip
        return table

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the single images, for a JSON file."""
        return {
            "verdict": self.verdict,
            "images": len(self.labels),
            "measures": self.measures(),
            "per_class": self.per_class(),
            "worst_values": self.worst_values(),
            "notes": self.notes,
        }

    def to_csv(self) -> str:
        """Returns one line per image: its class, and what each outcome found for it.

        `NAME_right` is 1, 0 or a fraction of draws; `NAME_tx`, `NAME_ty` (pixels),
        `NAME_rotation` (degrees) and so on, one for each axis of S, are the transformation of
        smallest margin found, `NAME_margin`.
        """
        columns: dict[str, Sequence[Any]] = {
            "image": range(len(self.labels)),
            "label": self.labels,
            "class": [self.class_names[label] for label in self.labels],
        }
        for name, outcome in self.outcomes.items():
            columns[f"{name}_right"] = [f"{value:.6g}" for value in outcome.right.astype(float)]
            if name != "natural":
                for axis, values in zip(self._axes, outcome.transformations.T):
                    columns[f"{name}_{axis.name}"] = [f"{value:.6g}" for value in values]
            columns[f"{name}_margin"] = [f"{value:.6g}" for value in outcome.margins]
        return tables.to_csv(list(columns), zip(*columns.values()))
