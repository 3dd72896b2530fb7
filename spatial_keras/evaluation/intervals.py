"""How far shares of few images, or of few draws, may be from those of all."""

from __future__ import annotations

import numpy as np
from scipy import stats


def confidence_interval(right: np.ndarray) -> tuple[float, float]:
    """Returns the 95% confidence interval of a mean over images.

    It is Wilson's for right or wrong, which stays within [0, 1] and holds for few images; for
    fractions it is the normal approximation.

    Args:
      right: bool, or fractions in [0, 1], [n].
    """
    values = np.asarray(right, np.float64)
    number = len(values)
    if np.isin(values, (0, 1)).all():
        return wilson(int(np.sum(values)), number)
    if number == 1:
        return 0.0, 1.0
    mean = float(np.mean(values))
    half = float(stats.norm.ppf(0.975) * stats.sem(values))
    return max(mean - half, 0.0), min(mean + half, 1.0)


def wilson(right: int, number: int) -> tuple[float, float]:
    """Returns Wilson's 95% interval of a share, of so many right ones of a number."""
    low, high = stats.binomtest(right, number).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def largest_share(wrong: np.ndarray | int, draws: int) -> np.ndarray:
    """Returns the upper 95% bound of the share of S that breaks an image (Clopper-Pearson).

    Args:
      wrong: at how many draws it is wrong.
      draws: of how many, uniform from S.

    Returns:
      Shares in [0, 1], float64 as `wrong`.
    """
    wrong = np.asarray(wrong)
    bound = stats.beta.ppf(0.95, wrong + 1, np.maximum(draws - wrong, 1))
    return np.where(wrong < draws, bound, 1.0)
