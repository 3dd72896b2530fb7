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

ROWS = oracles.table(3)
every_row = pytest.mark.parametrize("name, row", ROWS, ids=[name for name, _ in ROWS])


@pytest.fixture(scope="module")
def classifier():
    return oracles.classifier()


@every_row
def test_names_give_the_rows_of_the_table(name, row):
    defense = defenses.get(name)
    assert defense.name == name
    assert (defense.search is not None) == bool(row.k)
    if row.k:
        assert type(defense.search) is WorstOfK and defense.search.k == row.k
    assert defense.cross_entropy == row.cross_entropy
    assert defense.cross_entropy_objective == row.second_objective
    assert defense.regularizer == row.regularizer
    assert defense.shift == (4 if name == "std" else 0)
    if row.objective:
        assert defense.objective == row.objective
    if row.regularizer:
        assert defense.regularizer_weight == row.weight


def test_all_searches_have_the_same_rows():
    for prefix, kind in (("wo1", WorstOfK), ("pgd20", GradientSearch), ("grid", GridSearch)):
        for name, _ in oracles.searching_rows(prefix):
            defense, by_draws = defenses.get(name), defenses.get(f"wo3_{name.split('_', 1)[1]}")
            assert type(defense.search) is kind
            assert defense == dataclasses.replace(by_draws, name=name)


def test_the_number_in_a_name_is_the_searchs():
    assert defenses.get("wo20_kl").search.k == 20
    assert defenses.get("pgd7_kl_mix").search.steps == 7
    assert defenses.get("grid_l2").search.num_candidates == 775
    numbers = {name: defenses.get(name).number for name in ("wo1_at", "pgd7_at", "grid_at")}
    assert numbers == {"wo1_at": "k", "pgd7_at": "steps", "grid_at": None}
    assert defenses.get("std").number is defenses.get("std_star").number is None
    assert defenses.get("wo10_l2_mix").with_number(3) == defenses.get("wo3_l2_mix")
    assert defenses.get("wo10_l2_mix").with_number(3).search.k == 3


def test_names_in_the_paper():
    names = ("std", "std_star", "wo1_at", "pgd5_alp", "wo1_klc_nat", "wo1_kl_mix", "grid_l2")
    found = [defenses.get(name) for name in names]
    assert [row.method for row in found] == ["std", "std*", "AT", "ALP", "KL-C", "KL", "L2"]
    assert [row.images for row in found] == ["nat", "rob", "rob", "rob", "nat", "mix", "rob"]
    assert [row.searches for row in found] == [False, False, False, True, False, False, True]


def test_arguments_of_a_search_by_their_flags():
    options = {"pgd_start": "zero", "pgd_step_sizes": (1, 2, 3), "grid_counts": (3, 3, 1)}
    search = defenses.get("pgd7_alp").with_options(options).search
    assert (search.steps, search.start, search.step_sizes) == (7, "zero", (1, 2, 3))
    assert defenses.get("grid_kl").with_options(options).search.counts == (3, 3, 1)
    assert defenses.get("wo4_kl").with_options(options).search.k == 4
    assert defenses.get("std").with_options(options).search is None


def test_searches_are_built_over_what_is_given(classifier):
    transformations, warp = TransformationSet(2, 1, 45), SpatialWarp(composition="joint")
    for name in ("pgd7_kl", "grid_klc_mix", "wo2_at"):
        row = defenses.get(name)
        search = row.build(classifier, transformations, warp, seed=5).search
        assert type(search) is type(row.search)
        assert search.transformations is transformations and search.warp is warp
    row = row.with_options({"pgd_start": "zero"})
    assert row.search.transformations == TransformationSet(3, 3, 30)


def test_a_warp_without_a_gradient_is_rejected_rather_than_replaced(classifier):
    with pytest.raises(ValueError, match="^S-PGD needs a warp with implementation 'gather'"):
        defenses.get("pgd2_kl").build(classifier, warp=SpatialWarp("op"))
    warp = SpatialWarp("op")
    assert defenses.get("wo2_kl").build(classifier, warp=warp).search.warp is warp


def test_a_start_without_a_gradient_is_refused(classifier):
    for name in ["pgd5_kl", "pgd5_l2", "pgd5_kl_nat", "pgd5_l2_mix"]:
        objective = name.split("_")[1]
        with pytest.raises(ValueError, match=f"^S-PGD on '{objective}' needs a random start"):
            defenses.get(name).with_options({"pgd_start": "zero"}).build(classifier)


def test_an_objective_in_the_place_of_the_tables_decides_about_the_start(classifier):
    search = GradientSearch(start="zero")
    model = defenses.get("pgd5_kl").build(classifier, search=search, objective="ce")
    assert model.search is search
    with pytest.raises(ValueError, match="^S-PGD on 'l2' needs a random start"):
        defenses.get("pgd5_alp").build(classifier, search=search, objective="l2")


@every_row
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
        defenses.get("std").shift = 3


def test_impossible_names_are_refused_in_one_line():
    for name, message in [
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
        ("wo10_kl_half", "defense 'wo10_kl_half' has a regularizer"),
    ]:
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
    with pytest.raises(ValueError, match="^regularizer_weight must be at least 0, got -1"):
        build(classifier, regularizer_weight=-1)
    with pytest.raises(TypeError, match="regularizer_weight must be a number, got '8'"):
        build(classifier, regularizer_weight="8")
    with pytest.raises(ValueError, match="xla needs a warp with implementation 'gather', got 'op'"):
        build(classifier, warp=SpatialWarp("op"), xla=True)
