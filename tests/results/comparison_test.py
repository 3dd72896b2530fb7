"""Pairs of runs by seed, against numbers by hand."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from scipy import stats

from spatial_keras.results import comparison
from tests.made_results import results
from tests.results.bootstrap_test import evaluated


def of_seeds(defense, grids, **options):
    return [results(defense, seed, grid, **options) for seed, grid in enumerate(grids)]


def compared(runs, baseline="wo10_at", defense="wo10_kl"):
    by_folder = {pathlib.Path("none", str(i)): run for i, run in enumerate(runs)}
    return comparison.compare(by_folder, baseline, defense)


def test_only_runs_of_the_same_seed_are_pairs():
    at, kl = [0.2, 0.3, 0.25], [0.4, 0.4, 0.3]
    runs = [*of_seeds("wo10_at", at), *of_seeds("wo10_kl", kl), results("wo10_kl", 7, 0.9)]
    runs += [results("wo10_at", 0, 0.5, steps="900"), results("std")]
    found, other = compared(runs)
    assert (found.baseline.steps, other.baseline.steps, other.seeds) == (800, 900, (0,))
    np.testing.assert_allclose(other.errors.mean, -20)
    assert found.seeds == (0, 1, 2)
    np.testing.assert_allclose(found.grid, 100 * 0.35 / 3)
    errors = 100 * np.array([0.2 / 0.8, 0.1 / 0.7, 0.05 / 0.75])
    np.testing.assert_allclose(found.errors.mean, errors.mean())
    half = stats.t.ppf(0.975, 2) * errors.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(
        [found.errors.low, found.errors.high], [errors.mean() - half, errors.mean() + half]
    )


def test_broken_images_are_right_as_they_are_and_wrong_on_the_grid():
    # Broken are 60 and 50 of 90 images; then, of 80 and of 64, the half.
    runs = of_seeds("wo10_at", (0.3, 0.4), natural=0.9)
    runs += [results("wo10_kl", 0, 0.4, natural=0.8), results("wo10_kl", 1, 0.32, natural=0.64)]
    (found,) = compared(runs)
    np.testing.assert_allclose((found.natural, found.grid), (-18, 1))
    np.testing.assert_allclose(found.broken.mean, (25 + 10) / 2)
    half = stats.t.ppf(0.975, 1) * 7.5
    np.testing.assert_allclose((found.broken.low, found.broken.high), (17.5 - half, 17.5 + half))


def test_a_baseline_without_errors_leaves_none_to_avoid():
    (found,) = compared([results("wo10_at", 0, 1.0, 1.0), results("wo10_kl")])
    assert found.errors is None and found.broken is None


def test_a_run_that_is_never_right_breaks_nothing():
    (found,) = compared([results("wo10_at", 0, 0.0, 0.0), results("wo10_kl", 0, 0.9)])
    assert found.errors.mean == pytest.approx(90) and found.broken is None


def test_an_interval_of_a_single_pair_is_over_its_images(tmp_path):
    rng = np.random.default_rng(0)
    right = rng.uniform(size=[300, 4]) < (0.9, 0.4, 0.9, 0.6)
    right[:, 1] &= right[:, 0]
    right[:, 3] &= right[:, 2]
    runs = {}
    for name, columns in (("wo10_at", right[:, :2]), ("wo10_kl", right[:, 2:])):
        folder, _ = evaluated(tmp_path / name, columns)
        natural, grid = columns.mean(axis=0)
        runs[folder] = results(name, 0, grid, natural, images=300)
    (found,) = comparison.compare(runs, "wo10_at", "wo10_kl")

    drawn = []
    for _ in range(3000):
        natural, grid, new_natural, new_grid = right[rng.integers(0, 300, 300)].mean(axis=0)
        before, after = 1 - grid / natural, 1 - new_grid / new_natural
        drawn.append([(new_grid - grid) / (1 - grid), (before - after) / before])
    for estimate, values in zip((found.errors, found.broken), 100 * np.transpose(drawn)):
        low, high = np.percentile(values, (2.5, 97.5))
        assert low < estimate.mean < high
        # The ends of the loop's interval vary by about a 15th of its half.
        np.testing.assert_allclose([estimate.low, estimate.high], [low, high], atol=1.5)
    natural, grid, new_natural, new_grid = right.mean(axis=0)
    np.testing.assert_allclose(found.errors.mean, 100 * (new_grid - grid) / (1 - grid))


def test_a_single_pair_that_was_not_evaluated_has_no_interval():
    (found,) = compared([results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4)])
    assert (found.errors.low, found.errors.high) == (None, None)
    np.testing.assert_allclose(found.errors.mean, 25)


@pytest.mark.parametrize(
    "flags", [{"width": "1.0"}, {"dataset": "mnist"}, {"max_rotation": "20"}, {"image_size": "8"}]
)
def test_only_runs_of_one_network_on_the_same_images_and_s_are_compared(flags):
    runs = [results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4, **flags)]
    assert compared(runs) == []
    runs += [results("wo10_kl", 0, 0.6), results("wo10_at", 0, 0.25, **flags)]
    found = sorted(round(one.errors.mean) for one in compared(runs))
    assert found == [20, 50]


def test_numbers_of_images_are_apart():
    runs = [
        results(name, 0, grid, train_images=number)
        for number, kl in ((2500, 0.5), (500, 0.3))
        for name, grid in (("wo10_at", 0.4), ("wo10_kl", kl))
    ]
    first, second = compared(runs)
    assert (first.baseline.train_images, second.baseline.train_images) == (500, 2500)
    np.testing.assert_allclose(first.errors.mean, 100 * (0.3 - 0.4) / 0.6)
    assert compared(runs, defense="wo10_alp") == []


def test_settings_of_the_defense_are_apart():
    runs = [results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4), results("std")]
    runs += [results("wo10_kl", 0, 0.6, steps="900")]
    runs += [results("wo10_kl", 0, 0.8, **{"lambda": "16"})]
    found = compared(runs)
    assert [(one.defense.steps, one.defense.lambda_, round(one.errors.mean)) for one in found] == [
        (800, 8, 25), (800, 16, 75), (900, 8, 50),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([7.46], "+7.5"), ([49.35], "+49.4"), ([-1.0, -1.0], "-1.0 (-1.0 to -1.0)"),
        ([1.0, 3.0], "+2.0 (-10.7 to 14.7)"),
    ],
)  # fmt: skip
def test_an_estimate_for_people(values, text):
    assert str(comparison.Estimate.over_seeds(np.array(values))) == text


def test_the_table_has_a_column_for_what_its_rows_differ_in():
    always = ["train_images", "steps of a", *comparison._MEASURES]

    def pair(model, weight):
        settings = [results("wo10_kl", model=model, **{"lambda": one}).setting for one in weight]
        return comparison.Comparison(*settings, (0, 1), 1, 15, comparison.Estimate(25), None)

    header, ((*_, pairs, natural, grid, errors, broken),) = comparison.table(
        [pair("resnet8", "14")], "a", "b"
    )
    assert header == always
    assert (pairs, natural, grid, errors, broken) == ("2", "+1.0", "+15.0", "+25.0", "-")
    rows = [pair("resnet8", "14"), pair("resnet14", "12")]
    header, rows = comparison.table(rows, "a", "b")
    assert set(header) - set(always) == {"model", "lambda of b"}
    assert [dict(zip(header, row))["lambda of b"] for row in rows] == ["4.0", "2.0"]
    assert comparison.table([], "a", "b") == (always, [])
