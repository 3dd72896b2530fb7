"""A few images that stand for all classes."""

from __future__ import annotations

import numpy as np


def across_classes(labels: np.ndarray, number: int) -> np.ndarray:
    """Returns which images to show: the first of each class, then the second of each, ...

    Args:
      labels: class numbers, int [n].
      number: how many images, if there are as many.

    Returns:
      Their places among the labels, int [number or n].
    """
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    turn = np.empty(len(labels), int)
    turn[by_class] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    return np.lexsort([labels, turn])[:number]
