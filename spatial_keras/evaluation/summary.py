"""Report: the outcomes of an evaluation in one sentence, as tables, JSON and CSV."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_keras.evaluation import image_table, verdict
from spatial_keras.evaluation.intervals import largest_share
from spatial_keras.evaluation.outcome import GridOutcome, Outcome, Profile
from spatial_keras.support import tables


class Report:
    """What several evaluations of the same images found.

    Args:
      outcomes: in the order in which they are shown, one at least.
      notes: what a reader should know.

    Attributes:
      outcomes: those that are accuracies, by name.
      profile: where the images break; None without that outcome.
      sample: the images.
      notes: with what was found.
    """

    def __init__(self, outcomes: Sequence[Outcome], notes: Sequence[str] = ()) -> None:
        self._all = list(outcomes)
        self.sample = self._all[0].sample
        self.outcomes = {one.name: one for one in self._all if not isinstance(one, Profile)}
        self.profile = next((one for one in self._all if isinstance(one, Profile)), None)
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
        half = self.profile.half if self.profile else None
        sample = self.sample
        return verdict.sentence(
            accuracies, sample.number, sample.transformations, *sample.size, half
        )

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
        for number, name in enumerate(self.sample.class_names):
            members = self.sample.labels == number
            if members.any():
                accuracies = {k: float(o.right[members].mean()) for k, o in self.outcomes.items()}
                table[name] = {"images": int(members.sum()), **accuracies}
        return table

    def becomes(self) -> list[dict[str, Any]]:
        """Returns what images that are right as they are become when transformed.

        Returns:
          "label", "prediction" under the smallest transformation found that breaks them, and of how
          many "images" that is true, the most frequent first.
        """
        table = self.table()
        rows = zip(table["label"], table["prediction_there"], table["size"])
        counts = collections.Counter((label, there) for label, there, size in rows if size > 0)
        return [
            {"label": label, "prediction": there, "images": count}
            for (label, there), count in counts.most_common()
        ]

    def share(self) -> dict[str, float] | None:
        """Returns which share of S breaks the images, by the draws of random accuracy.

        Returns:
          "images", those right as they are if that was measured, "draws" of all of them, the share
          of these that are "broken", and the share of S that they are broken by "at_most", an
          upper 95% bound for these images; None without random accuracy.
        """
        outcome = self.outcomes.get("random")
        if outcome is None:
            return None
        natural = self.outcomes.get("natural")
        right = outcome.right if natural is None else outcome.right[natural.right]
        if not len(right):
            return None
        # Of draws whose chances differ a sum varies less than of equal ones: the bound holds.
        draws = image_table.draws(outcome) * len(right)
        wrong = round(draws * float(1 - right.mean()))
        return {
            "images": len(right), "draws": draws, "broken": wrong / draws,
            "at_most": float(largest_share(wrong, draws)),
        }  # fmt: skip

    def table(self) -> dict[str, np.ndarray]:
        """Returns columns, a row for each image and the worst first, as for pandas.DataFrame.

        They are `image`, its number, and `name`; `label` and `prediction` of the image as it is;
        whether it `survives` all that was tried; the smallest transformation found that breaks it,
        a column for each axis of S (pixels, degrees), its `size` in units of the bounds, 0 for an
        image that is wrong as it is, and `prediction_there`; the smallest `margin` found anywhere;
        of random draws `share_broken` and `share_at_most`, its upper 95% bound; and of each outcome
        `NAME_right`: 1, 0 or a fraction of draws. What does not exist is NaN or None.
        """
        return image_table.columns(self._all)

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the single images, for a JSON file."""
        sample = self.sample
        return {
            "verdict": self.verdict,
            "images": sample.number,
            "transformations": sample.transformations.words(*sample.size),
            "measures": self.measures(),
            "share_of_transformations": self.share(),
            "per_class": self.per_class(),
            "becomes": self.becomes(),
            "axes": self.profile.curves() if self.profile else None,
            "notes": self.notes,
        }

    def to_csv(self) -> str:
        """Returns the columns of `table`, a line for each image."""
        table = self.table()
        rows = (map(_cell, row) for row in zip(*table.values()))
        return tables.to_csv(list(table), rows)


def _cell(value: Any) -> Any:
    if isinstance(value, np.bool_):
        return int(value)
    return None if isinstance(value, np.floating) and np.isnan(value) else value
