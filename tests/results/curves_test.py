"""Curves, against numbers by hand."""

import numpy as np
import pytest

from spatial_keras.results import curves, variants
from tests.made_results import results


def test_over_lambda():
    runs = [
        results("wo10_kl_nat", seed, grid + seed / 10, natural=0.95, **{"lambda": weight})
        for weight, grid in (("8.0", 0.6), ("0.5", 0.5))
        for seed in (0, 1)
    ]
    runs += [results("std"), results("wo10_alp")]  # without lambda, of one lambda
    (curve,) = curves.over_lambda(variants.group(runs))
    assert (curve.name, curve.group) == ("KL, nat", "KL")
    np.testing.assert_array_equal(curve.x, [0.5, 8.0])
    np.testing.assert_allclose(curve.grid, [[55, 5], [65, 5]])
    np.testing.assert_allclose(curve.natural, [[95, 0], [95, 0]], atol=1e-12)


def test_searches_are_named_if_there_are_several():
    runs = [
        results(defense, **{"lambda": weight})
        for defense in ("wo10_kl", "pgd5_kl")
        for weight in ("1", "2")
    ]
    found = curves.over_lambda(variants.group(runs))
    assert [curve.name for curve in found] == ["KL, rob, Wo-10", "KL, rob, S-PGD-5"]


def test_over_the_training_images():
    runs = [
        results(defense, seed, grid=grid + seed / 10, train_images=number, steps=steps)
        for number, grid in ((1000, 0.5), (500, 0.3))
        for seed in (0, 1)
        for defense, steps in (("wo10_kl", "8"), ("wo10_at", "8"), ("wo10_at", "9"))
    ]
    runs.append(results("std", train_images=500, steps="8"))
    found = variants.group(runs, also=("train_images", "steps"))
    by_name = {curve.name: curve for curve in curves.over_train_images(found)}
    assert set(by_name) == {"KL Wo-10", "AT Wo-10 steps=8", "AT Wo-10 steps=9"}
    np.testing.assert_array_equal(by_name["KL Wo-10"].x, [500, 1000])
    np.testing.assert_allclose(by_name["KL Wo-10"].grid, [[35, 5], [55, 5]])


def test_over_passes():
    late = {"schedule": "cosine", "search_from": "0.6"}
    runs = [
        results("wo10_kl"),
        results("wo10_kl", grid=0.85, **late),
        results("wo10_kl", grid=0.7, steps="400", **late),
    ]
    found = variants.group(runs, also=("steps", "schedule"))
    paper, cosine = curves.over_passes(found)
    assert paper.name == "KL Wo-10, search_from=0.0, schedule=paper"
    assert cosine.name == "KL Wo-10, search_from=0.6, schedule=cosine"
    # 10 candidates and the natural image are passed forwards, both images back to the weights.
    np.testing.assert_allclose(paper.x, [0.8 * 17])
    np.testing.assert_allclose(cosine.x, np.multiply([0.4, 0.8], 0.6 * 6 + 0.4 * 17))
    np.testing.assert_allclose(cosine.grid[:, 0], [70, 85])


def test_one_run_has_an_error_of_0():
    (variant,) = variants.group([results("std", grid=0.25)])
    assert curves.accuracies([variant], "grid").tolist() == [[pytest.approx(25), 0]]
