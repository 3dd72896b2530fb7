"""What outcomes say of each image, as columns, the image that breaks most easily first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spatial_keras.evaluation.intervals import largest_share
from spatial_keras.geometry.transformations import TransformationSet

if TYPE_CHECKING:
    from spatial_keras.evaluation.outcome import Outcome


def columns(outcomes: Sequence[Outcome]) -> dict[str, np.ndarray]:
    """Returns columns of one length, a row for each image: for pandas.DataFrame, or a CSV file.

    First come the images that are wrong as they are, then those that break under the smallest
    transformations, those that survive last. See `Report.table` for the columns.

    Args:
      outcomes: of the same images.
    """
    sample = outcomes[0].sample
    names = np.array(sample.class_names, object)
    sizes, worst = smallest(outcomes)
    broken = np.isfinite(sizes)
    rows = np.arange(sample.number)
    transformations = np.stack([outcome.transformations for outcome in outcomes])[worst, rows]
    there = np.stack([outcome.predictions for outcome in outcomes])[worst, rows]
    margins = np.min([outcome.margins for outcome in outcomes], axis=0)

    found = {"image": rows, "name": _objects(sample.names), "label": names[sample.labels]}
    for outcome in outcomes:
        if outcome.name == "natural":
            found["prediction"] = names[outcome.predictions]
    found["survives"] = ~broken
    for axis, values in zip(sample.transformations.axes, transformations.T):
        found[axis.name] = np.where(broken, values, np.nan)
    found["size"] = np.where(broken, sizes, np.nan)
    found["prediction_there"] = np.where(broken, names[there], np.array(None))
    found["margin"] = margins
    for outcome in outcomes:
        if outcome.name == "random":
            found.update(_shares(outcome))
    accuracies = [outcome for outcome in outcomes if outcome.name != "profile"]
    found.update((f"{each.name}_right", each.right.astype(float)) for each in accuracies)
    order = np.lexsort([margins, sizes])
    return {name: values[order] for name, values in found.items()}


def smallest(outcomes: Sequence[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest size of a transformation found to break each image, and whose it is.

    Returns:
      Sizes in units of the bounds, float64 [n], infinite where none does; numbers of outcomes, int
      [n].
    """
    sizes = np.stack(
        [
            np.where(
                outcome.margins < 0,
                outcome.sample.transformations.sizes(outcome.transformations),
                np.inf,
            )
            for outcome in outcomes
        ]
    )
    return sizes.min(axis=0), sizes.argmin(axis=0)


def under(table: Mapping[str, np.ndarray], row: int, transformations: TransformationSet) -> str:
    """Returns the transformation in a row of the columns in words, e.g. "+1.5, +0.0 px, -10°"."""
    parameters = [table[axis.name][row] for axis in transformations.axes]
    return transformations.caption(parameters).replace("\n", ", ")


def draws(outcome: Outcome) -> int:
    """Returns how many draws for each image random accuracy is of."""
    return outcome.passes // outcome.sample.number


def _shares(outcome: Outcome) -> dict[str, np.ndarray]:
    number = draws(outcome)
    wrong = np.rint((1 - outcome.right) * number).astype(int)
    return {"share_broken": wrong / number, "share_at_most": largest_share(wrong, number)}


def _objects(values: Sequence[object] | np.ndarray) -> np.ndarray:
    """Returns values as an array of them; NumPy would make numbers and texts texts."""
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found
