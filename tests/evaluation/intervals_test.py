"""Intervals against SciPy, and against the binomial distribution itself."""

import numpy as np
import pytest
from scipy import stats

from spatial_keras.evaluation import confidence_interval
from spatial_keras.evaluation.intervals import largest_share


@pytest.mark.parametrize(("right", "number"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (1, 9)])
def test_the_interval_of_right_and_wrong_is_wilsons(right, number):
    values = np.arange(number) < right
    expected = stats.binomtest(right, number).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(confidence_interval(values), expected, atol=1e-6)
    # Wilson's ends are the probabilities from which the mean is 1.96 standard deviations away.
    for end in confidence_interval(values):
        distance = right / number - end
        assert distance**2 == pytest.approx(1.959964**2 * end * (1 - end) / number, abs=1e-6)
    assert confidence_interval(values) == confidence_interval(values.astype(np.float32))


def test_the_interval_of_fractions_is_normal():
    values = np.random.default_rng(0).integers(0, 11, 40) / 10
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    np.testing.assert_allclose(confidence_interval(values), expected, rtol=1e-6)


def test_the_interval_stays_between_0_and_1():
    low, high = confidence_interval(np.array([0.99, 1.0, 0.5, 1.0]))
    assert 0 <= low < high <= 1


def test_one_fraction_says_nothing():
    assert confidence_interval(np.array([0.5])) == (0.0, 1.0)


@pytest.mark.parametrize(("wrong", "draws"), [(0, 1), (0, 750), (3, 10), (9, 10), (10, 10)])
def test_the_largest_share_would_rarely_break_so_few(wrong, draws):
    bound = float(largest_share(wrong, draws))
    expected = stats.binomtest(wrong, draws, alternative="less").proportion_ci(0.95, "exact").high
    assert bound == pytest.approx(expected, abs=1e-9)
    assert stats.binom.cdf(wrong, draws, bound) == pytest.approx(0.05 if wrong < draws else 1)
    np.testing.assert_allclose(largest_share(np.array([wrong, draws]), draws), [bound, 1])
