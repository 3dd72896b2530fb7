"""Assertions for pytest: a classifier is as robust as it has to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.evaluation import gate, image_table
from spatial_keras.evaluation.evaluator import Evaluator
from spatial_keras.evaluation.summary import Report
from spatial_keras.support import validation

# How many images a failure names.
_NAMED = 5


def assert_robust(
    model: tf.keras.Model | Callable[..., tf.Tensor],
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    natural: float | None = None,
    random: float | None = None,
    grid: float | None = None,
    by_interval: bool = False,
    **options: Any,
) -> None:
    """Fails unless a classifier is accurate enough on images, as they are and transformed.

    Args:
      model: what `Evaluator` takes.
      images: likewise.
      labels: likewise.
      natural: the accuracy that it must have on the images as they are, in [0, 1].
      random: under random transformations, ten for each image.
      grid: under all transformations of the grid, the share of images.
      by_interval: whether the lower ends of the 95% intervals must be as high.
      **options: of `Evaluator`, such as `transformations`, `input_range` and `names`.

    Raises:
      AssertionError: it is not. The message says by how much, and which images break first, under
        which transformations.
      ValueError: nothing is asked.
    """
    asked = {"natural": natural, "random": random, "grid": grid}
    least = {name: number for name, number in asked.items() if number is not None}
    if not least:
        raise ValueError("give what must be reached: natural=, random= or grid=.")
    for name, number in least.items():
        validation.check_range(name, number, 0, 1)
    evaluator = Evaluator(model, images, labels, **options)
    outcomes = [evaluator.natural()]
    if random is not None:
        outcomes.append(evaluator.random(10))
    if grid is not None:
        outcomes.append(evaluator.grid(natural=outcomes[0]))
    report = Report(outcomes)
    gates = gate.gates(report.measures(), least, by_interval)
    failures = [one.failure for one in gates if one.failure]
    if failures:
        raise AssertionError("\n".join([report.verdict, *failures, *worst(report, _NAMED)]))


def worst(report: Report, number: int) -> list[str]:
    """Returns a line for each of the images that break first: what it is taken for, under what.

    Args:
      report: of the outcomes.
      number: how many at most.
    """
    table, box = report.table(), report.sample.transformations
    lines = []
    for row in np.flatnonzero(~table["survives"])[:number]:
        under = image_table.under(table, row, box) if table["size"][row] else "no change"
        lines.append(
            f"image {table['name'][row]}, of class {table['label'][row]}, is taken for "
            f"{table['prediction_there'][row]} under {under}"
        )
    return lines
