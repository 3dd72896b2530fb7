from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import GradientSearch, Objective, RobustModel, SpatialWarp, TransformationSet
from spatial_keras.training.losses import get_objective
from tests import oracles as warp_oracles
from tests import search_oracles as oracles
from tests.search_oracles import BATCH, run

# No whole numbers: on whole pixels the derivative is one-sided.
BOX = TransformationSet(2.3, 1.7, 25)
SEED = oracles.SEED
OBJECTIVES = ["ce", "kl", "l2"]
WARPS = {"sequential": warp_oracles.canvas_warp, "joint": warp_oracles.joint_warp}


def start(count=BATCH, box=BOX, seed=SEED):
    return np.asarray(box.sample(tf.constant(seed), [count]))


def climbed(classifier, batch, objective, steps, step_sizes=BOX.bounds / 4, **options):
    values = oracles.values_of(classifier, *batch, objective, **options)
    return oracles.climb(values, start(), step_sizes, BOX.bounds, steps)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("composition", WARPS)
def test_ascends_along_finite_differences(classifier, batch, objective, composition):
    found = run(GradientSearch(4, BOX, SpatialWarp("gather", composition)), classifier, batch,
                objective)  # fmt: skip
    assert found.shape == (BATCH, 3) and found.dtype == np.float32
    expected = climbed(classifier, batch, objective, 4, warp=WARPS[composition])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_step_sizes(classifier, batch):
    sizes = (0.4, 1.1, 7)
    found = run(GradientSearch(3, BOX, step_sizes=sizes), classifier, batch)
    expected = climbed(classifier, batch, "ce", 3, sizes)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert GradientSearch().step_sizes is None


@pytest.mark.parametrize("objective, per_pass", [("ce", None), ("kl", 4), ("l2", 1)])
def test_the_same_in_every_mode(classifier, batch, execution, objective, per_pass):
    search, function = GradientSearch(3, BOX, images_per_pass=per_pass), get_objective(objective)

    def find(images, labels, seed):
        return search(classifier, images, labels, function, seed)

    found = execution(find)(*map(tf.constant, (*batch, SEED)))
    np.testing.assert_allclose(found, climbed(classifier, batch, objective, 3), atol=1e-5)


def test_without_a_random_start_it_starts_at_the_untouched_image(classifier, batch):
    # From a start off the pixels by a hair, on the side that the one-sided derivative looks to.
    search = GradientSearch(1, BOX, step_sizes=(0.5, 0.25, 0), start="zero")
    values = oracles.values_of(classifier, *batch, "ce")
    nearly = np.tile([-1e-4, -1e-4, 0], (BATCH, 1))
    expected = oracles.climb(values, nearly, (0.5, 0.25, 0), BOX.bounds, 1)
    found = run(search, classifier, batch)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(abs(found), np.tile([0.5, 0.25, 0], (BATCH, 1)))
    np.testing.assert_array_equal(run(search, classifier, batch, seed=(8, 8)), found)


def test_ascent_raises_the_objective(classifier):
    batch = oracles.images(64).astype(np.float32), oracles.labels(64)
    for objective in OBJECTIVES:
        values = oracles.values_of(classifier, *batch, objective)
        before, after = start(64), run(GradientSearch(5, BOX), classifier, batch, objective)
        gain = values(after) - values(before)
        assert gain.mean() > 0 and np.mean(gain > 0) > 0.75


def test_stays_in_the_box(classifier, batch):
    box = TransformationSet(0.5, 0, 3)
    found = run(GradientSearch(3, box, step_sizes=(2, 2, 2)), classifier, batch)
    assert np.all(abs(found) <= box.bounds) and np.all(found[:, 1] == 0)
    assert np.any(abs(found[:, 0]) == 0.5)


@pytest.mark.parametrize("objective, per_pass", [("ce", 1), ("kl", 4), ("l2", 6), ("kl", 9)])
def test_passes_change_nothing(classifier, batch, objective, per_pass):
    whole = run(GradientSearch(2, BOX), classifier, batch, objective)
    parts = run(GradientSearch(2, BOX, images_per_pass=per_pass), classifier, batch, objective)
    np.testing.assert_array_equal(parts, whole)


def test_images_do_not_mix(classifier, batch):
    whole = run(GradientSearch(3, BOX), classifier, batch)
    other = batch[0].copy()
    other[1:] = 255 - other[1:]
    found = run(GradientSearch(3, BOX), classifier, (other, batch[1]))
    np.testing.assert_array_equal(found[0], whole[0])
    assert np.any(found[1:] != whole[1:])


@pytest.mark.parametrize("per_pass, sizes", [(None, 2 * [6]), (9, 2 * [6]), (4, 4 * [4])])
def test_images_go_through_the_network_in_inference_mode(batch, per_pass, sizes):
    passes = []
    network = oracles.recording_network(passes)
    search = GradientSearch(2, BOX, images_per_pass=per_pass)
    run(search, network, batch)
    assert passes == [(size, False) for size in sizes]
    passes.clear()
    run(search, network, batch, "l2")
    assert passes == [(size, False) for size in [BATCH, *sizes]]


@pytest.mark.parametrize("per_pass", [None, 4])
def test_moving_statistics_stay_and_no_gradient_leaks(classifier, batch, per_pass):
    search = GradientSearch(2, BOX, images_per_pass=per_pass)
    before, images = classifier.get_weights(), tf.constant(batch[0])
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = search(classifier, images, batch[1], get_objective("kl"), tf.constant(SEED))
        total = tf.reduce_sum(found)
    sources = [images, *classifier.trainable_variables]
    assert tape.gradient(total, sources) == [None] * len(sources)
    for old, new in zip(before, classifier.get_weights()):
        np.testing.assert_array_equal(new, old)


def test_draws_depend_on_the_seed_alone(classifier, batch):
    search = GradientSearch(2, BOX)
    first = run(search, classifier, batch)
    np.testing.assert_array_equal(run(search, classifier, batch), first)
    for seed in [(3, 6), (4, 5)]:
        assert np.any(run(search, classifier, batch, seed=seed) != first, axis=1).all()


@pytest.mark.parametrize("per_pass", [None, 3])
def test_a_batch_of_any_size(classifier, per_pass):
    search = GradientSearch(2, BOX, images_per_pass=per_pass)
    find = oracles.of_any_size(search, classifier, "kl")
    for count in (1, 4):
        batch = oracles.images(count).astype(np.float32), oracles.labels(count)
        found = find(*batch, tf.constant(SEED))
        np.testing.assert_allclose(found, run(search, classifier, batch, "kl"), atol=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_integer_images(classifier, batch, objective):
    expected = run(GradientSearch(2, BOX), classifier, batch, objective)
    grey = batch[0].astype(np.uint8), batch[1]
    np.testing.assert_array_equal(
        run(GradientSearch(2, BOX), classifier, grey, objective), expected
    )
    model = RobustModel(classifier, GradientSearch(2, BOX), objective=objective)
    found = model.worst_transformations(*grey, tf.constant(SEED))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_finds_nearly_the_same(batch, policy):
    images, labels = oracles.images(32).astype(np.float32), oracles.labels(32)
    exact = run(GradientSearch(3, BOX), oracles.classifier(), (images, labels), "kl")
    tf.keras.mixed_precision.set_global_policy(policy)
    network = oracles.classifier()
    assert network(images).dtype == policy.split("_")[1]
    found = run(GradientSearch(3, BOX), network, (images, labels), "kl")
    assert found.dtype == np.float32
    assert np.mean(abs(found - exact) < 1e-4) > 0.8


def test_an_objective_of_ones_own(classifier, batch):
    least = Objective("least_confident", lambda labels, logits: -logits[:, 0], "labels")
    found = run(GradientSearch(3, BOX), classifier, batch, least)
    expected = climbed(classifier, batch, lambda _, logits: -logits[:, 0], 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_network_that_has_diverged_moves_nothing(batch):
    def network(images, training):
        return tf.repeat(tf.reduce_mean(images, axis=(1, 2)), 3, axis=1) * np.nan

    np.testing.assert_array_equal(run(GradientSearch(3, BOX), network, batch), start())


# Construction.


def test_the_defaults():
    search = GradientSearch()
    assert (search.steps, search.start, search.images_per_pass) == (5, "random", None)
    assert search.transformations == TransformationSet(3, 3, 30)


def test_config_round_trip(classifier, batch):
    warp = SpatialWarp("gather", "joint")
    search = GradientSearch(2, TransformationSet(1, 2, 3), warp, [1, 2, 3], "zero", 4)
    serialized = tf.keras.utils.serialize_keras_object(search)
    twin = tf.keras.utils.deserialize_keras_object(serialized)
    assert type(twin) is GradientSearch
    assert tf.keras.utils.serialize_keras_object(twin) == serialized
    assert (twin.steps, twin.step_sizes) == (2, (1, 2, 3))
    assert (twin.start, twin.images_per_pass) == ("zero", 4)
    assert (twin.transformations, twin.warp.composition) == (search.transformations, "joint")
    np.testing.assert_array_equal(run(twin, classifier, batch), run(search, classifier, batch))


def test_impossible_arguments_are_refused():
    for options, error, message in [
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 1.5}, TypeError, "steps must be an integer, got 1.5"),
        ({"images_per_pass": 0}, ValueError, "images_per_pass must be at least 1, got 0"),
        ({"step_sizes": (1, -2, 3)}, ValueError, "step_sizes must be at least 0, got -2"),
        ({"step_sizes": (1, "2", 3)}, TypeError, "step_sizes must be a number, got '2'"),
        ({"step_sizes": (1, 2)}, ValueError, r"step_sizes must be 3, .*, got \(1, 2\)"),
        ({"step_sizes": (0, 0, 0)}, ValueError, "step_sizes must not all be 0, got '0,0,0'"),
        ({"start": "zer"}, ValueError, "unknown start 'zer': did you mean 'zero'"),
        ({"step_sizes": 2.0}, ValueError, "step_sizes must be 3, .*, got 2.0"),
        ({"warp": SpatialWarp("op")}, ValueError, "S-PGD needs a warp .* 'gather' .* got 'op'"),
    ]:
        with pytest.raises(error, match=f"^{message}") as raised:
            GradientSearch(**options)
        assert "\n" not in str(raised.value)


def test_a_start_without_a_gradient_is_refused(classifier, batch):
    for objective in ["kl", "l2"]:
        search = GradientSearch(start="zero")
        with pytest.raises(
            ValueError, match=f"^S-PGD on '{objective}' needs a random start"
        ) as raised:
            run(search, classifier, batch, objective)
        assert "\n" not in str(raised.value)


def test_an_objective_without_a_gradient_is_refused(classifier, batch):
    wrong = Objective(
        "wrong", lambda labels, z: tf.cast(tf.argmax(z, -1) != labels, tf.float32), "labels"
    )
    with pytest.raises(ValueError, match="^S-PGD needs a gradient, and 'wrong' has none"):
        run(GradientSearch(), classifier, (batch[0], batch[1].astype(np.int64)), wrong)
