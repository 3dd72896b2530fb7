from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import (
    GridSearch,
    SpatialWarp,
    TransformationSet,
)
from spatial_keras.training.losses import get_objective
from tests import search_oracles as oracles
from tests.search_oracles import BATCH, run

COUNTS = (3, 1, 4)
SMALL = TransformationSet(3, 2, 30)
SEED = oracles.SEED


def grid_candidates(counts=COUNTS):
    return np.tile(SMALL.grid(counts), (BATCH, 1, 1))


@pytest.mark.parametrize(
    "objective, per_pass", [("ce", 10), ("kl", 5), ("l2", 1), ("ce", 12), ("kl", 99)]
)
def test_the_grid_in_every_mode(classifier, batch, execution, objective, per_pass):
    search, function = GridSearch(COUNTS, SMALL, None, per_pass), get_objective(objective)

    def find(images, labels, seed):
        return search(classifier, images, labels, function, seed)

    found = execution(find)(*map(tf.constant, (*batch, SEED)))
    values = oracles.values_of(classifier, *batch, objective)
    np.testing.assert_array_equal(found, oracles.worst_of(values, grid_candidates()))


def test_the_grid_equals_a_loop_over_single_images(classifier, batch):
    network, warp = tf.function(classifier), tf.function(SpatialWarp("op", "joint"))
    found = run(GridSearch(COUNTS, SMALL, SpatialWarp("op", "joint")), classifier, batch, "kl")
    by_loop = oracles.worst_by_loop(network, warp, *batch, grid_candidates(), "kl")
    np.testing.assert_array_equal(found, by_loop)


def test_the_grid_does_not_depend_on_the_seed(classifier, batch):
    found = [run(GridSearch(COUNTS, SMALL), classifier, batch, seed=(s, s)) for s in (1, 2)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("per_pass", [1, 5, 12])
def test_of_equal_values_the_first_point_counts(batch, per_pass):
    def network(images, training):
        return tf.zeros([len(images), oracles.CLASSES])

    found = run(GridSearch(COUNTS, SMALL, None, per_pass), network, batch)
    np.testing.assert_array_equal(found, np.tile([[-3, 0, -30]], (BATCH, 1)))


@pytest.mark.parametrize("per_pass, sizes", [(10, [60, 60]), (5, [30] * 3), (12, [72])])
def test_the_grid_goes_through_the_network_in_chunks_of_one_size(batch, per_pass, sizes):
    passes = []
    network = oracles.recording_network(passes)
    run(GridSearch(COUNTS, SMALL, None, per_pass), network, batch, "kl")
    assert passes == [(size, False) for size in [BATCH, *sizes]]


def test_the_default_grid_is_the_papers():
    search = GridSearch()
    assert (search.num_candidates, search.candidates_per_pass) == (775, 10)
    assert search.transformations == TransformationSet(3, 3, 30)


def test_the_grids_config_round_trip():
    search = GridSearch([3, 1, 5], SMALL, SpatialWarp("op", "joint"), 4)
    serialized = tf.keras.utils.serialize_keras_object(search)
    twin = tf.keras.utils.deserialize_keras_object(serialized)
    assert type(twin) is GridSearch and repr(twin).split("warp")[0] == repr(search).split("warp")[0]
    assert (twin.counts, twin.candidates_per_pass) == ((3, 1, 5), 4)
    assert (twin.transformations, twin.warp.implementation) == (SMALL, "op")


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"counts": (0, 5, 5)}, ValueError, "number of points in tx must be at least 1, got 0"),
        (
            {"counts": (5, 5, 1.5)},
            TypeError,
            "number of points in rotation must be an integer",
        ),
        ({"counts": (5, 5)}, ValueError, r"counts must be 3, .*, got \(5, 5\)"),
        (
            {"counts": (1000, 1000, 2)},
            ValueError,
            "counts must give 1,000,000 points at most, got 2,",
        ),
        ({"counts": 775}, ValueError, "counts must be 3, .*, got 775"),
        ({"candidates_per_pass": 0}, ValueError, "candidates_per_pass must be at least 1, got 0"),
        ({"candidates_per_pass": None}, TypeError, "candidates_per_pass must be an integer"),
    ],
)
def test_impossible_grids_are_refused(options, error, message):
    with pytest.raises(error, match=f"^{message}") as raised:
        GridSearch(**options)
    assert "\n" not in str(raised.value)
