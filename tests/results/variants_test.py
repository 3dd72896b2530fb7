"""Runs by setting: what is read, pooled over seeds, told apart, joined, refused."""

import numpy as np
import pytest

from spatial_keras.results import variants

FLAGS = {"dataset": "digits", "model": "resnet8", "width": "0.25", "steps": "800"}


def results(defense, seed=0, grid=0.8, seconds=0.1, **flags):
    return {
        "accuracies": {"natural": 0.97, "random": 0.9, "grid": grid},
        "timing": {"seconds_per_step": seconds},
        "flags": {**FLAGS, "defense": defense, "seed": str(seed), **flags},
    }


def weights(*values):
    return [results("wo10_kl", **{"lambda": str(value)}) for value in values]


def test_seeds_are_pooled():
    grids = [0.7, 0.8, 0.96]
    runs = [results("wo10_kl", seed, grid) for seed, grid in enumerate(grids)]
    first, second = variants.group([*runs, results("std")])
    mean, error = first.row.statistics("grid")
    assert mean == pytest.approx(82) and error == pytest.approx(
        np.std(grids, ddof=1) * 100 / 3**0.5
    )
    assert first.weight == 8 and second.weight is None
    assert second.row.statistics("grid") == (pytest.approx(80), None)


def test_the_default_weight_is_the_same_as_the_given_one():
    runs = [results("wo10_kl"), results("wo10_kl", 1, **{"lambda": "8.0"}), *weights(2)]
    assert [(one.weight, len(one.row.results)) for one in variants.group(runs)] == [(8, 2), (2, 1)]


@pytest.mark.parametrize(
    ("defense", "parts"),
    [
        ("std", ("std", "nat", "")),
        ("std_star", ("std*", "rob", "")),
        ("wo10_kl", ("KL", "rob", "Wo-10")),
        ("pgd5_klc_nat", ("KL-C", "nat", "S-PGD-5")),
        ("grid_alp_mix", ("ALP", "mix", "grid")),
        ("wo1_l2", ("L2", "rob", "Wo-1")),
        ("wo20_at", ("AT", "rob", "Wo-20")),
    ],
)
def test_a_defense_is_written_as_in_the_paper(defense, parts):
    (one,) = variants.group([results(defense)])
    assert (one.method, one.batch, one.search) == parts


def test_points_are_named_by_what_tells_them_apart():
    runs = [results("std"), results("wo10_kl_nat"), results("wo1_at"), *weights(1, 8)]
    assert variants.point_names(variants.group(runs)) == [
        "std", "KL nat Wo-10", "AT Wo-1", "KL Wo-10 λ=1", "KL Wo-10",
    ]  # fmt: skip
    runs = [results("std"), results("std", model="vgg16"), results("pgd5_kl", pgd_start="zero")]
    names = variants.point_names(variants.group(runs))
    assert names == ["std resnet8", "std vgg16", "KL S-PGD-5 resnet8"]


def test_searches_by_other_flags_are_apart():
    runs = [results("pgd5_kl"), results("pgd5_kl", pgd_start="zero")]
    assert variants.point_names(variants.group(runs)) == [
        "KL S-PGD-5", "KL S-PGD-5 pgd_start=zero",
    ]  # fmt: skip


def test_lines_join_wo_k_of_one_regularizer_by_k():
    names = ("wo20_kl", "wo1_kl", "wo10_kl_nat", "std_star", "wo10_kl", "pgd5_kl", "wo10_at")
    found = variants.group([results(name) for name in names])
    assert variants.lines_over_k(found) == [[1, 4, 0]]
    runs = [results("wo1_kl"), *weights(1, 8)]  # the other weight is another line
    assert variants.lines_over_k(variants.group(runs)) == [[0, 2]]


def test_a_flag_that_is_not_recorded_has_its_default():
    runs = [results("wo10_kl"), results("wo10_kl", 1, schedule="paper", search_from="0.0")]
    (one,) = variants.group(runs)
    assert len(one.row.results) == 2
    with pytest.raises(ValueError, match="differ in --schedule: cosine, paper"):
        variants.group([runs[0], results("wo10_kl", schedule="cosine")])


def test_curves_over_the_training_images():
    runs = [
        results(defense, seed, grid=grid + seed / 10, train_images=str(number), steps=str(steps))
        for number, grid in ((1000, 0.5), (500, 0.3))
        for seed in (0, 1)
        for defense, steps in (("wo10_kl", 8), ("wo10_at", 8), ("wo10_at", 9))
    ]
    lone, whole = results("std", train_images="500", steps="8"), results("wo10_kl", steps="8")
    found = variants.group([*runs, lone, whole], also=("train_images", "steps"))
    curves = {one.name: one for one in variants.sample_curves(found)}
    assert set(curves) == {"KL Wo-10", "AT Wo-10 steps=8", "AT Wo-10 steps=9"}
    kl = curves["KL Wo-10"]
    np.testing.assert_array_equal(kl.x, [500, 1000])
    np.testing.assert_allclose(kl.grid, [[35, 5], [55, 5]])
    np.testing.assert_allclose(kl.natural, [[97, 0], [97, 0]], atol=1e-12)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="no finished run"):
        variants.group([])
    with pytest.raises(ValueError, match=r"^the runs in --runs differ in --steps: 400, 800\.$"):
        variants.group([results("std"), results("wo10_kl", steps="400")])
    with pytest.raises(ValueError, match="--test_images: 50, not set"):
        variants.group([results("std"), results("wo10_kl", test_images="50")])


def test_lots_hold_what_can_be_compared():
    runs = {
        "a": results("std"), "b": results("wo10_kl", 1), "c": results("std", steps="400"),
        "d": results("std", test_images="50"), "e": results("wo1_kl", 1, steps="400"),
    }  # fmt: skip
    lots = variants.comparable(runs)
    assert {name: list(lot) for name, lot in lots.items()} == {
        "--steps=800, no --test_images": ["a", "b"],
        "--steps=400, no --test_images": ["c", "e"],
        "--steps=800, --test_images=50": ["d"],
    }
    assert sum(len(variants.group(list(lot.values()))) for lot in lots.values()) == 5
    assert list(variants.comparable({"a": runs["a"], "b": runs["b"]})) == [""]
