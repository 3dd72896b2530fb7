from __future__ import annotations

import dataclasses

import pytest

from spatial_keras import (
    GradientSearch,
    GridSearch,
    RobustModel,
    SpatialWarp,
    TransformationSet,
    WorstOfK,
)
from spatial_keras.training import defenses
from tests import search_oracles as oracles

ROWS = [pair for k in (1, 3, 10, 20) for pair in oracles.table(k)]


@pytest.fixture(scope="module")
def classifier():
    return oracles.classifier()


@pytest.mark.parametrize("name, row", ROWS, ids=[name for name, _ in ROWS])
def test_names_give_the_rows_of_the_table(name, row):
    defense = defenses.get(name)
    assert defense.name == name
    assert defense.k == row.k
    assert defense.search_kind == ("worst_of_k" if row.k else None)
    assert defense.cross_entropy == row.cross_entropy
    assert defense.cross_entropy_objective == row.second_objective
    assert defense.regularizer == row.regularizer
    assert defense.shift == (4 if name == "std" else 0)
    if row.objective:
        assert defense.objective == row.objective
    if row.regularizer:
        assert defense.regularizer_weight == row.weight


OTHERS = [pair for search in ("pgd1", "pgd20", "grid") for pair in oracles.searching_rows(search)]


@pytest.mark.parametrize("name, row", OTHERS, ids=[name for name, _ in OTHERS])
def test_other_searches_have_the_same_rows(name, row):
    defense, by_draws = defenses.get(name), defenses.get(f"wo10_{name.split('_', 1)[1]}")
    search = {"pgd1": ("gradient", 1), "pgd20": ("gradient", 20), "grid": ("grid", 0)}
    kind, steps = search[name.split("_")[0]]
    described = {"name": name, "search_kind": kind, "k": 0, "steps": steps}
    assert defense == dataclasses.replace(by_draws, **described)
    assert defense.cross_entropy_objective == row.second_objective


def test_gradient_searches_are_built(classifier):
    transformations, warp = TransformationSet(2, 1, 45), SpatialWarp(composition="joint")
    build = defenses.get("pgd7_kl").build
    search = build(classifier, transformations, warp, seed=5).search
    assert type(search) is GradientSearch
    assert (search.steps, search.step_sizes, search.random_start) == (7, None, True)
    assert search.transformations is transformations and search.warp is warp
    assert build(classifier, step_sizes=(2, 2, 2), grid_counts=(1, 1, 1)).search.step_sizes == (
        2, 2, 2,
    )  # fmt: skip
    search = defenses.get("pgd7_alp").build(classifier, random_start=False).search
    assert not search.random_start


def test_grid_searches_are_built(classifier):
    transformations, warp = TransformationSet(2, 1, 45), SpatialWarp("op", "joint")
    build = defenses.get("grid_klc_mix").build
    search = build(classifier, transformations, warp, random_start=False).search
    assert type(search) is GridSearch and search.counts == (5, 5, 31)
    assert search.transformations is transformations and search.warp is warp
    assert build(classifier, grid_counts=(3, 3, 1)).search.counts == (3, 3, 1)


def test_a_warp_without_a_gradient_is_rejected_rather_than_replaced(classifier):
    with pytest.raises(ValueError, match="^S-PGD needs a warp with implementation 'gather'"):
        defenses.get("pgd2_kl").build(classifier, warp=SpatialWarp("op"))
    warp = SpatialWarp("op")
    assert defenses.get("wo2_kl").build(classifier, warp=warp).search.warp is warp


@pytest.mark.parametrize("name", ["pgd5_kl", "pgd5_l2", "pgd5_kl_nat", "pgd5_l2_mix"])
def test_a_start_without_a_gradient_is_refused(classifier, name):
    objective = name.split("_")[1]
    with pytest.raises(ValueError, match=f"^S-PGD on '{objective}' needs random_start"):
        defenses.get(name).build(classifier, random_start=False)


def test_an_objective_in_the_place_of_the_tables_decides_about_the_start(classifier):
    defense = defenses.get("pgd5_kl")
    assert not defense.build(classifier, random_start=False, objective="ce").search.random_start
    with pytest.raises(ValueError, match="^S-PGD on 'l2' needs random_start"):
        defenses.get("pgd5_alp").build(classifier, random_start=False, objective="l2")


def test_an_unknown_search_is_refused(classifier):
    mine = dataclasses.replace(defenses.get("wo10_kl"), search_kind="worst_of_n")
    with pytest.raises(ValueError, match="unknown search 'worst_of_n': did you mean 'worst_of_k'"):
        mine.build(classifier)


@pytest.mark.parametrize("name, row", oracles.table(3), ids=[name for name, _ in oracles.table(3)])
def test_a_defense_builds_its_model(classifier, name, row):
    transformations, warp = TransformationSet(2, 1, 45), SpatialWarp(composition="joint")
    model = defenses.get(name).build(
        classifier, transformations, warp, seed=5, weight_decay=2e-4, xla=True
    )
    assert type(model) is RobustModel
    assert model.classifier is classifier
    assert (model.seed, model.weight_decay, model.xla) == (5, 2e-4, True)
    assert model.cross_entropy == row.cross_entropy
    assert model.shift == (4 if name == "std" else 0)
    assert (model.search is None) == (row.k == 0)
    if row.k:
        assert type(model.search) is WorstOfK and model.search.k == row.k
        assert model.search.transformations is transformations
        assert model.search.warp is warp
    if row.objective:
        assert model.objective.name == row.objective
    assert getattr(model.cross_entropy_objective, "name", None) == row.second_objective
    assert getattr(model.regularizer, "name", None) == row.regularizer
    if row.regularizer:
        assert model.regularizer_weight == row.weight


def test_the_transformations_are_the_papers_unless_given(classifier):
    search = defenses.get("wo10_at").build(classifier).search
    assert search.transformations == TransformationSet(3, 3, 30)
    assert defenses.get("std").search() is None


def test_what_the_table_sets_may_be_overridden(classifier):
    search = WorstOfK(4, candidates_per_pass=2)
    model = defenses.get("wo10_kl").build(classifier, regularizer_weight=0.5, search=search)
    assert model.regularizer_weight == 0.5
    assert model.search is search
    assert model.regularizer.name == "kl"


def test_a_defense_is_returned_as_it_is():
    mine = dataclasses.replace(defenses.get("wo10_kl"), name="mine", regularizer_weight=2.0)
    assert defenses.get(mine) is mine


def test_a_defense_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        defenses.get("std").k = 3


@pytest.mark.parametrize(
    "name, message",
    [
        ("wo10_kll", "unknown defense 'wo10_kll': did you mean 'wo10_kl'?"),
        ("std_stat", "unknown defense 'std_stat': did you mean 'std_star'?"),
        ("std*", "unknown defense 'std\\*': did you mean 'std'?"),
        ("WO10_KL", "unknown defense 'WO10_KL': did you mean 'wo10_kl'?"),
        ("wo10_kl_rob", "unknown defense 'wo10_kl_rob': did you mean 'wo10_kl'?"),
        ("wo10_kl_nat_mix", "unknown defense 'wo10_kl_nat_mix'"),
        ("wo10_kl_", "unknown defense 'wo10_kl_'"),
        ("wo10_kl\n", "unknown defense 'wo10_kl"),
        ("wo10", "unknown defense 'wo10'"),
        ("wo_kl", "unknown defense 'wo_kl'"),
        ("wo1.5_kl", "unknown defense 'wo1.5_kl'"),
        ("wo-1_kl", "unknown defense 'wo-1_kl'"),
        ("std_mix", "unknown defense 'std_mix'"),
        ("", "unknown defense ''"),
        ("wo0_kl", "k must be at least 1 in defense 'wo0_kl', got 0"),
        ("wo010_kl", "unknown defense 'wo010_kl': did you mean 'wo10_kl'?"),
        ("wo\u0661\u0660_kl", "unknown defense 'wo\u0661\u0660_kl': did you mean 'wo10_kl'?"),
        ("pgd0_kl", "steps must be at least 1 in defense 'pgd0_kl', got 0"),
        ("pgd5_kll", "unknown defense 'pgd5_kll': did you mean 'pgd5_kl'?"),
        ("pgd_kl", "unknown defense 'pgd_kl': did you mean 'pgd5_kl'?"),
        ("grid5_kl", "unknown defense 'grid5_kl': did you mean 'grid_kl'?"),
        ("grid", "unknown defense 'grid'"),
        ("grid_kl_rob", "unknown defense 'grid_kl_rob': did you mean 'grid_kl'?"),
        ("pgd5_at_nat", "defense 'pgd5_at_nat' trains on natural images alone"),
        ("grid_at_nat", "defense 'grid_at_nat' trains on natural images alone"),
        ("wo10_at_nat", "defense 'wo10_at_nat' trains on natural images alone"),
    ],
)
def test_impossible_names_are_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        defenses.get(name)
    assert "\n" not in str(error.value).replace(name, "")


@pytest.mark.parametrize("name", ["wo10_at", "wo3_kl_mix", "std_star"])
@pytest.mark.parametrize(
    "bounds, message",
    [
        ((12, 3, 30), "max_tx must be smaller than the image, 10 pixels, got 12"),
        ((3, 14, 30), "max_ty must be smaller than the image, 14 pixels, got 14"),
    ],
)
def test_bounds_larger_than_the_image_are_refused(name, bounds, message):
    classifier = oracles.classifier(shape=(14, 10, 1))
    with pytest.raises(ValueError, match=message):
        defenses.get(name).build(classifier, TransformationSet(*bounds))


def test_impossible_options_are_refused(classifier):
    build = defenses.get("wo10_kl").build
    with pytest.raises(ValueError, match="^lambda must be at least 0, got -1"):
        build(classifier, regularizer_weight=-1)
    with pytest.raises(TypeError, match="lambda must be a number, got '8'"):
        build(classifier, regularizer_weight="8")
    with pytest.raises(ValueError, match="xla needs a warp with implementation 'gather', got 'op'"):
        build(classifier, warp=SpatialWarp("op"), xla=True)
