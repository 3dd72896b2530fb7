"""Runs on other draws of their test images: the paired bootstrap over those that there are."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from spatial_keras.results.run_results import Results
from spatial_keras.support import tables

# What evaluate.py writes in a run's folder, a line for each image.
_FILE = "evaluation.csv"
_COLUMNS = ("natural_right", "grid_right")
_RESAMPLES = 10_000
# Percentage points by which an evaluation may differ from what the run itself found.
_TOLERANCE = 0.1


def accuracies(runs: Sequence[tuple[pathlib.Path, Results]]) -> np.ndarray | None:
    """Returns natural and grid accuracies of runs on resamples of their test images.

    Args:
      runs: folder and results of each.

    Returns:
      In %, [runs, 10,000, 2]; all runs have the same images in a resample. None where a run has no
      evaluation in its folder, or one of other images, or one that found something else.
    """
    found = [images for folder, _ in runs if (images := read(folder)) is not None]
    if len(found) < len(runs) or len({labels.tobytes() for labels, _ in found}) > 1:
        return None
    for (_, right), (_, results) in zip(found, runs):
        accuracies = results.accuracies.measured
        expected = [100 * accuracies[name] for name in ("natural", "grid")]
        if not np.allclose(100 * right.mean(axis=0), expected, rtol=0, atol=_TOLERANCE):
            return None
    shares = resampled(np.concatenate([right for _, right in found], axis=1))
    return 100 * shares.reshape(_RESAMPLES, len(runs), 2).swapaxes(0, 1)


def read(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns what an evaluation in a run's folder says of each image.

    Returns:
      The classes, str [n], and whether it is right as it is and on the grid, bool [n, 2]; None
      if there is no such evaluation, or it cannot be read.
    """
    try:
        rows = tables.from_csv((folder / _FILE).read_text(encoding="utf-8"))
        rows.sort(key=lambda row: int(row["image"]))
        labels = np.array([row["label"] for row in rows])
        right = np.array([[float(row[name]) for name in _COLUMNS] for row in rows])
    except (OSError, ValueError, KeyError):
        return None
    is_one = len(rows) and np.isin(right, (0, 1)).all()
    return (labels, right.astype(bool)) if is_one else None


def resampled(right: np.ndarray, number: int = _RESAMPLES, seed: int = 0) -> np.ndarray:
    """Returns the shares of right images in resamples, which draw as many images with replacement.

    Args:
      right: bool [n, columns].
      number: of resamples.
      seed: of the draws.

    Returns:
      [number, columns], each row from the same images.
    """
    # Images of the same row count as one kind, of which a resample has so many.
    kinds, counts = np.unique(right, axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(len(right), counts / len(right), number)
    return draws @ kinds / len(right)
