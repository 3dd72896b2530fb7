"""Pairs of runs by seed, against numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from spatial_keras.results import comparison
from tests.results.runs_csv_test import results


def of_seeds(defense, grids, **options):
    return [results(defense, seed, grid, **options) for seed, grid in enumerate(grids)]


def test_only_runs_of_the_same_seed_are_pairs():
    at, kl = [0.2, 0.3, 0.25], [0.4, 0.4, 0.3]
    runs = [*of_seeds("wo10_at", at), *of_seeds("wo10_kl", kl), results("wo10_kl", 7, 0.9)]
    runs += [results("wo10_at", 0, 0.5, steps=90), results("std")]
    found, other = comparison.compare(runs, "wo10_at", "wo10_kl")
    assert (found.baseline.steps, other.baseline.steps, other.seeds) == (80, 90, (0,))
    np.testing.assert_allclose(other.errors.mean, -20)
    assert found.seeds == (0, 1, 2) and found.baseline.train_images == 1000
    np.testing.assert_allclose(found.grid, 100 * 0.35 / 3)
    errors = 100 * np.array([0.2 / 0.8, 0.1 / 0.7, 0.05 / 0.75])
    np.testing.assert_allclose(found.errors.mean, errors.mean())
    half = stats.t.ppf(0.975, 2) * errors.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(
        [found.errors.low, found.errors.high], [errors.mean() - half, errors.mean() + half]
    )


def test_broken_images_are_right_untouched_and_wrong_on_the_grid():
    # Broken are 60 and 50 of 90 images; then, of 80 and of 64, the half.
    runs = [*of_seeds("wo10_at", (0.3, 0.4)), results("wo10_kl", 0, 0.4, natural=0.8)]
    runs += [results("wo10_kl", 1, 0.32, natural=0.64)]
    (found,) = comparison.compare(runs, "wo10_at", "wo10_kl")
    np.testing.assert_allclose((found.natural, found.grid), (-18, 1))
    np.testing.assert_allclose(found.broken.mean, (25 + 10) / 2)
    half = stats.t.ppf(0.975, 1) * 7.5
    np.testing.assert_allclose((found.broken.low, found.broken.high), (17.5 - half, 17.5 + half))


def test_a_baseline_without_errors_leaves_none_to_avoid():
    runs = [*of_seeds("wo10_at", (1.0,), natural=1.0), *of_seeds("wo10_kl", (0.9,))]
    (found,) = comparison.compare(runs, "wo10_at", "wo10_kl")
    assert found.errors is None and found.broken is None


def test_a_run_that_is_never_right_breaks_nothing():
    runs = [*of_seeds("wo10_at", (0.0,), natural=0.0), *of_seeds("wo10_kl", (0.9,))]
    (found,) = comparison.compare(runs, "wo10_at", "wo10_kl")
    assert found.errors.mean == 90 and found.broken is None


@pytest.mark.parametrize("kl", [0.5, 0.3])
def test_numbers_of_images_are_apart(kl):
    runs = [
        results(name, 0, grid, number)
        for number in (2500, 500)
        for name, grid in (("wo10_at", 0.4), ("wo10_kl", kl))
    ]
    first, second = comparison.compare(runs, "wo10_at", "wo10_kl")
    assert (first.baseline.train_images, second.baseline.train_images) == (500, 2500)
    np.testing.assert_allclose(first.errors.mean, 100 * (kl - 0.4) / 0.6)
    assert first.errors.low is None and first.errors.high is None
    assert comparison.compare(runs, "wo10_at", "wo10_alp") == []


def test_only_runs_of_one_network_are_compared():
    runs = [results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4, width="1.0")]
    assert comparison.compare(runs, "wo10_at", "wo10_kl") == []
    runs += [results("wo10_kl", 0, 0.6), results("wo10_at", 0, 0.25, width="1.0")]
    half, whole = comparison.compare(runs, "wo10_at", "wo10_kl")
    assert (half.baseline.width, whole.defense.width) == (0.5, 1.0)
    np.testing.assert_allclose([half.errors.mean, whole.errors.mean], [50, 20])


def test_settings_of_the_defense_are_apart():
    runs = [results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4), results("std")]
    runs += [results("wo10_kl", 0, 0.6, steps=200), results("wo10_kl", 0, 0.8, **{"lambda": "16"})]
    found = comparison.compare(runs, "wo10_at", "wo10_kl")
    assert [(one.defense.steps, one.defense.weight, round(one.errors.mean)) for one in found] == [
        (80, 8, 25),
        (80, 16, 75),
        (200, 8, 50),
    ]


@pytest.mark.parametrize(
    ("values", "text"),
    [([7.46], "+7.5"), ([-1.0, -1.0], "-1.0 (-1.0 to -1.0)"), ([1.0, 3.0], "+2.0 (-10.7 to 14.7)")],
)
def test_an_estimate_is_written_with_its_interval(values, text):
    assert str(comparison.Estimate.of(np.array(values))) == text
