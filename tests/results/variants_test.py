"""Runs by setting: pooled over seeds, told apart, in lines, refused."""

import numpy as np
import pytest

from spatial_keras.results import variants
from tests.made_results import results


def weights(*values):
    return [results("wo10_kl", **{"lambda": str(value)}) for value in values]


def settings(lines):
    return [[variant.setting.defense for variant in line] for line in lines]


def test_seeds_are_pooled():
    grids = [0.7, 0.8, 0.96]
    runs = [results("wo10_kl", seed, grid) for seed, grid in enumerate(grids)]
    first, second = variants.group([*runs, results("std")])
    mean, error = first.row.statistics("grid")
    assert mean == pytest.approx(82)
    assert error == pytest.approx(np.std(grids, ddof=1) * 100 / 3**0.5)
    assert first.weight == 8 and second.weight is None
    assert second.row.statistics("grid") == (pytest.approx(80), None)


def test_the_default_weight_is_the_same_as_the_given_one():
    runs = [results("wo10_kl"), results("wo10_kl", 1, **{"lambda": "8.0"}), *weights(2)]
    found = variants.group(runs)
    assert [(one.weight, one.is_papers, len(one.runs)) for one in found] == [
        (8, True, 2), (2, False, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("defense", "name"),
    [
        ("std", "std"),
        ("std_star", "std*"),
        ("wo10_kl", "KL Wo-10"),
        ("pgd5_klc_nat", "KL-C nat S-PGD-5"),
        ("grid_alp_mix", "ALP mix grid"),
    ],
)
def test_a_variant_is_named_as_in_the_paper(defense, name):
    (variant,) = variants.group([results(defense)])
    assert variants.name(variant) == name


def test_variants_are_named_by_what_tells_them_apart():
    runs = [results("std"), results("wo10_kl_nat"), results("wo1_at"), *weights(1, 8)]
    assert variants.names(variants.group(runs)) == [
        "std", "KL nat Wo-10", "AT Wo-1", "KL Wo-10 λ=1", "KL Wo-10",
    ]  # fmt: skip
    # Another network counts for all, another option of the search for the runs of one defense.
    runs = [results("std"), results("std", model="vgg16"), results("pgd5_kl", pgd_start="zero")]
    names = variants.names(variants.group(runs))
    assert names == ["std resnet8", "std vgg16", "KL S-PGD-5 resnet8"]
    runs = [results("pgd5_kl"), results("pgd5_kl", pgd_start="zero")]
    assert variants.names(variants.group(runs)) == ["KL S-PGD-5", "KL S-PGD-5 pgd_start=zero"]


def test_lines_join_wo_k_of_one_regularizer_by_k():
    names = ("wo20_kl", "wo1_kl", "wo10_kl_nat", "std_star", "wo10_kl", "pgd5_kl", "wo10_at")
    found = variants.group([results(name) for name in names])
    assert settings(variants.lines_over_number(found)) == [["wo1_kl", "wo10_kl", "wo20_kl"]]
    found = variants.group([results("wo1_kl"), *weights(1, 8)])  # the other weight is another line
    ((first, second),) = variants.lines_over_number(found)
    assert (first.setting.defense, second.weight) == ("wo1_kl", 8)


def test_lines_over_a_field_are_of_variants_that_differ_in_nothing_else():
    runs = [*weights(4, 2), results("wo10_kl", pgd_start="zero"), results("wo10_at")]
    lines = variants.lines_over(variants.group(runs), "lambda_")
    assert [[variant.weight for variant in line] for line in lines] == [[2, 4], [8], [None]]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="no finished run"):
        variants.group([])
    runs = [results("std"), results("wo10_kl", steps="400")]
    with pytest.raises(ValueError, match="--steps: 400, 800"):
        variants.group(runs)
    assert len(variants.group(runs, also=["steps"])) == 2
    with pytest.raises(ValueError, match="--test_images: 50, not set"):
        variants.group([results("std"), results("wo10_kl", test_images="50")])
    with pytest.raises(ValueError, match="--max_rotation: 15.0, 30.0"):
        variants.group([results("std"), results("std", max_rotation="15")])


def test_lots_hold_what_can_be_compared():
    runs = {
        "a": results("std"), "b": results("wo10_kl", 1), "c": results("std", steps="400"),
        "d": results("std", test_images="50"), "e": results("wo1_kl", 1, steps="400"),
    }  # fmt: skip
    lots = variants.comparable(runs)
    assert {name: list(lot) for name, lot in lots.items()} == {
        "no --test_images, --steps=800": ["a", "b"],
        "no --test_images, --steps=400": ["c", "e"],
        "--test_images=50, --steps=800": ["d"],
    }
    assert sum(len(variants.group(lot.values())) for lot in lots.values()) == 5
    assert list(variants.comparable({"a": runs["a"], "b": runs["b"]})) == [""]
