from __future__ import annotations

import copy

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import (
    Objective,
    RobustModel,
    SpatialWarp,
    TransformationSet,
    WorstOfK,
)
from spatial_keras.training.losses import get_objective
from tests import search_oracles as oracles
from tests.search_oracles import BATCH, run

K = 5
SMALL = TransformationSet(3, 2, 30)
SEED = oracles.SEED
OBJECTIVES = ["ce", "kl", "l2"]


@pytest.fixture(scope="module")
def by_loop(classifier, batch):
    """The worst of K draws, found one image at a time, for each objective."""
    network, warp = tf.function(classifier), tf.function(SpatialWarp())
    return {
        name: oracles.worst_by_loop(network, warp, *batch, draws(K), name) for name in OBJECTIVES
    }


def draws(k, seed=SEED, count=BATCH, transformations=SMALL):
    return np.asarray(transformations.sample(tf.constant(seed), [count, k]))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_worst_of_k_equals_a_loop_over_single_images(classifier, batch, by_loop, objective):
    found = run(WorstOfK(K, SMALL), classifier, batch, objective)
    assert found.shape == (BATCH, 3) and found.dtype == np.float32
    np.testing.assert_array_equal(found, by_loop[objective])


def test_any_size_and_warp():
    shape = (10, 15, 3)
    classifier = oracles.classifier(shape=shape)
    batch = oracles.images(4, shape).astype(np.float32), oracles.labels(4)
    transformations, warp = TransformationSet(1, 0, 90), SpatialWarp("op", "joint")
    found = run(WorstOfK(5, transformations, warp), classifier, batch, "kl")
    candidates = draws(5, count=4, transformations=transformations)
    expected = oracles.worst_by_loop(classifier, warp, *batch, candidates, "kl")
    np.testing.assert_array_equal(found, expected)
    assert np.all(found[:, 1] == 0)


def test_objectives_choose_differently(classifier):
    batch = oracles.images(32).astype(np.float32), oracles.labels(32)
    found = [run(WorstOfK(7, SMALL), classifier, batch, name) for name in OBJECTIVES]
    for i in range(3):
        assert np.any(found[i] != found[i - 1])


def test_an_objective_of_ones_own(classifier, batch):
    least = Objective("least_confident", lambda labels, logits: -logits[:, 0], "labels")
    found = run(WorstOfK(4, SMALL), classifier, batch, least)
    warped = [SpatialWarp()(batch[0], draws(4)[:, i]) for i in range(4)]
    values = np.stack([np.asarray(classifier(each, training=False))[:, 0] for each in warped], 1)
    np.testing.assert_array_equal(found, draws(4)[np.arange(BATCH), values.argmin(1)])


def test_k_of_one_is_a_draw_and_runs_no_network(batch):
    found = run(WorstOfK(1, SMALL), None, batch)
    np.testing.assert_array_equal(found, draws(1)[:, 0])


@pytest.mark.parametrize(
    "objective, per_pass", [("ce", 1), ("ce", 2), ("ce", 4), ("ce", 9), ("kl", 3), ("l2", 2)]
)
def test_passes_change_nothing(classifier, batch, objective, per_pass):
    whole = run(WorstOfK(6, SMALL), classifier, batch, objective)
    parts = run(WorstOfK(6, SMALL, None, per_pass), classifier, batch, objective)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("per_pass", [None, 1, 2, 3, 5])
def test_of_equal_values_the_first_counts(batch, per_pass):
    inputs = tf.keras.Input(oracles.SHAPE)
    constant = tf.keras.layers.Dense(3, kernel_initializer="zeros")(
        tf.keras.layers.Flatten()(inputs)
    )
    found = run(WorstOfK(5, SMALL, None, per_pass), tf.keras.Model(inputs, constant), batch)
    np.testing.assert_array_equal(found, draws(5)[:, 0])


@pytest.mark.parametrize(
    "per_pass, sizes", [(None, [30]), (5, [30]), (9, [30]), (2, [12, 12, 12]), (1, [6] * 5)]
)
def test_candidates_go_through_the_network_together_in_inference_mode(batch, per_pass, sizes):
    passes = []
    network = oracles.recording_network(passes)
    run(WorstOfK(5, SMALL, None, per_pass), network, batch)
    assert passes == [(size, False) for size in sizes]
    passes.clear()
    run(WorstOfK(5, SMALL, None, per_pass), network, batch, "l2")
    assert passes == [(size, False) for size in [BATCH, *sizes]]


@pytest.mark.parametrize(
    "search",
    [WorstOfK(4, SMALL), WorstOfK(4, SMALL, candidates_per_pass=2)],
    ids=["worst of k", "in passes"],
)
def test_moving_statistics_stay(classifier, batch, search):
    before = classifier.get_weights()
    run(search, classifier, batch, "kl")
    for old, new in zip(before, classifier.get_weights()):
        np.testing.assert_array_equal(new, old)


def test_draws_depend_on_the_seed_alone(classifier, batch):
    search = WorstOfK(3, SMALL)
    first = run(search, classifier, batch)
    np.testing.assert_array_equal(run(search, classifier, batch), first)
    np.testing.assert_array_equal(run(WorstOfK(3, SMALL), classifier, batch), first)
    for seed in [(3, 6), (4, 5)]:
        assert np.all(run(search, classifier, batch, seed=seed) != first)


@pytest.mark.parametrize("objective, per_pass", [("ce", None), ("kl", None), ("l2", 2)])
def test_the_same_worst_transformations_in_every_mode(
    classifier, batch, by_loop, execution, objective, per_pass
):
    search, objective = WorstOfK(K, SMALL, None, per_pass), get_objective(objective)

    def find(images, labels, seed):
        return search(classifier, images, labels, objective, seed)

    found = execution(find)(*map(tf.constant, (*batch, SEED)))
    np.testing.assert_array_equal(found, by_loop[objective.name])


@pytest.mark.parametrize("per_pass", [None, 3])
def test_a_batch_of_any_size(classifier, per_pass):
    search = WorstOfK(4, SMALL, None, per_pass)
    find = oracles.of_any_size(search, classifier, "kl")
    for count in (1, 4):
        batch = oracles.images(count).astype(np.float32), oracles.labels(count)
        found = find(*batch, tf.constant(SEED))
        np.testing.assert_array_equal(found, run(search, classifier, batch, "kl"))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_integer_images_through_the_model(classifier, batch, objective):
    model = RobustModel(classifier, WorstOfK(5, SMALL), objective=objective)
    images, labels = batch
    found = model.worst_transformations(images.astype(np.uint8), labels, tf.constant(SEED))
    np.testing.assert_array_equal(found, run(WorstOfK(5, SMALL), classifier, batch, objective))


# Construction.


def test_the_defaults_are_the_papers():
    search = WorstOfK()
    assert search.k == 10 and search.candidates_per_pass is None
    assert search.transformations == TransformationSet(3, 3, 30)
    assert search.warp.composition == "sequential"


def test_config_round_trip(classifier, batch):
    search = WorstOfK(5, TransformationSet(1, 2, 3), SpatialWarp("op", "joint"), 2)
    serialized = tf.keras.utils.serialize_keras_object(search)
    copies = (
        WorstOfK.from_config(search.get_config()),
        tf.keras.utils.deserialize_keras_object(serialized),
    )
    for twin in copies:
        assert type(twin) is WorstOfK
        assert tf.keras.utils.serialize_keras_object(twin) == serialized
        assert (twin.k, twin.candidates_per_pass) == (5, 2)
        assert twin.transformations == TransformationSet(1, 2, 3)
        assert (twin.warp.implementation, twin.warp.composition) == ("op", "joint")
        np.testing.assert_array_equal(run(twin, classifier, batch), run(search, classifier, batch))


def test_from_config_leaves_the_config_as_it_is():
    config = WorstOfK(2).get_config()
    kept = copy.deepcopy(config)
    WorstOfK.from_config(config)
    assert config == kept


def test_repr_names_all_parameters():
    text = repr(WorstOfK(5, TransformationSet(1, 2, 3), candidates_per_pass=2))
    assert text.startswith("WorstOfK(k=5, transformations=TransformationSet(max_tx=1")
    assert text.endswith("candidates_per_pass=2)")


@pytest.mark.parametrize("name", ["k", "candidates_per_pass"])
@pytest.mark.parametrize(
    "value, error, message",
    [
        (0, ValueError, "must be at least 1, got 0"),
        (-3, ValueError, "must be at least 1, got -3"),
        (1.5, TypeError, "must be an integer, got 1.5"),
        ("2", TypeError, "must be an integer, got '2'"),
        (True, TypeError, "must be an integer, got True"),
    ],
)
def test_impossible_numbers_are_refused(name, value, error, message):
    with pytest.raises(error, match=f"^{name} {message}"):
        WorstOfK(**{name: value})


def test_k_of_none_is_refused():
    with pytest.raises(TypeError, match="k must be an integer, got None"):
        WorstOfK(None)
