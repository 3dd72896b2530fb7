"""What a step trains on, what is reported, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import GradientSearch, RobustModel, SpatialWarp, TransformationSet, WorstOfK
from tests import search_oracles as oracles
from tests.keras_state import optimizer_variables, steps_taken
from tests.robust_models import (
    BATCH,
    BOX,
    DECAY,
    KERNELS,
    RecordedSearch,
    Recorder,
    assert_terms,
    build,
    build_fixed,
    compiled,
    evaluate,
    every_row,
    fit,
    images,
    labels,
    parts,
)

# The search inside the step.


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", ["wo5_kl", "wo5_kl_mix", "wo5_at"])
def test_before_search_from_a_step_is_that_of_one_random_draw(name, xla):
    """Steps 0 and 1 are those of k = 1, step 2 is that of k = 5."""
    searched, drawn = [
        compiled(
            build(name.replace("5", k), warp=SpatialWarp("gather"), xla=xla, search_from=2 * grows),
            run_eagerly=False,
        )
        for k, grows in (("5", True), ("1", False))
    ]
    for steps in (1, 1):
        fit(searched, steps), fit(drawn, steps)
        for one, other in zip(searched.classifier.get_weights(), drawn.classifier.get_weights()):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    full = compiled(build(name, warp=SpatialWarp("gather"), xla=xla), run_eagerly=False)
    full.classifier.set_weights(searched.classifier.get_weights())
    full.optimizer.build(full.classifier.trainable_variables)
    for one, other in zip(*map(optimizer_variables, (full.optimizer, searched.optimizer))):
        one.assign(other)
    fit(searched), fit(full)
    for one, other in zip(searched.classifier.get_weights(), full.classifier.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_evaluation_searches_from_the_first_step_on():
    late, always = (evaluate(compiled(build("wo5_kl", search_from=n))) for n in (100, 0))
    assert late == always


def test_the_step_trains_on_what_the_search_finds():
    seen, search = [], RecordedSearch(5, BOX)
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = compiled(build("wo5_kl_mix", classifier, search=search))
    mean, kernel = classifier.get_layer("norm").get_weights()[2], oracles.weights_of(classifier)
    fit(model)

    original, twin = images().astype(np.float32), oracles.classifier()
    assert [objective for objective, _, _ in search.record] == ["kl", "ce"]
    assert np.any(search.record[0][1] != search.record[1][1])
    expected = [original]
    for objective, seed, found in search.record:
        candidates = np.array(BOX.sample(seed, [BATCH, 5]))
        by_loop = oracles.worst_by_loop(
            tf.function(twin), tf.function(search.warp), original, labels(), candidates, objective
        )
        np.testing.assert_array_equal(found, by_loop)
        expected.append(np.array(search.warp(original, found)))
    # The natural images for kl, twice all candidates, and the training step.
    passes = [(BATCH, False), (5 * BATCH, False), (5 * BATCH, False), (3 * BATCH, True)]
    assert [(len(batch), training) for batch, training in seen] == passes
    np.testing.assert_array_equal(seen[-1][0], np.concatenate(expected))

    # BatchNorm's moving mean has seen the training batch, and that alone.
    windows = np.lib.stride_tricks.sliding_window_view(seen[-1][0] / 255.0, (3, 3), axis=(1, 2))
    convolved = np.einsum("bhwcij,ijco->bhwo", windows[:, ::2, ::2], kernel[0]) + kernel[1]
    new_mean = classifier.get_layer("norm").get_weights()[2]
    np.testing.assert_allclose(new_mean, 0.9 * mean + 0.1 * convolved.mean((0, 1, 2)), atol=1e-5)


def test_every_step_draws_anew():
    search = RecordedSearch(1, BOX)
    fit(compiled(build("std_star", search=search)), steps=3)
    draws = np.stack([found for _, _, found in search.record])
    assert len(np.unique(draws)) == draws.size


def test_std_shifts_by_whole_pixels_in_training_only():
    seen = []
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = compiled(build("std", classifier))
    fit(model, steps=3, count=16)
    shifts = []
    for batch, training in seen:
        assert training
        for original, shifted in zip(images(16), batch):
            padded = np.pad(original, [(4, 4), (4, 4), (0, 0)])
            fits = [
                (4 - x, 4 - y)
                for x in range(9)
                for y in range(9)
                if np.allclose(padded[y : y + 12, x : x + 12], shifted, atol=1e-3)
            ]
            assert len(fits) == 1
            shifts += fits
    assert {abs(x) for x, _ in shifts} == {abs(y) for _, y in shifts} == {0, 1, 2, 3, 4}
    assert len(set(shifts[:16])) > 8

    seen.clear()
    evaluate(model)
    model.predict(images(), verbose=0)
    for batch, training in seen:
        assert not training
        np.testing.assert_array_equal(batch, images())


class SeeingSearch(RecordedSearch):
    """Notes the images that it is given, too."""

    def __init__(self):
        super().__init__(1, BOX)
        self.images = []

    def __call__(self, classifier, images, labels, objective, seed):
        self.images.append(np.array(images))
        return super().__call__(classifier, images, labels, objective, seed)


def test_a_search_starts_from_the_shifted_images():
    seen, search = [], SeeingSearch()
    model = build("wo1_kl", oracles.classifier(before=[Recorder(seen.append)]), search=search)
    model.shift = 3
    fit(compiled(model))
    ((batch, _),) = seen
    np.testing.assert_array_equal(search.images[0], batch[:BATCH])
    assert np.any(batch[:BATCH] != images())
    worst = search.warp(batch[:BATCH], search.record[0][2])
    np.testing.assert_array_equal(batch[BATCH:], worst)


def test_every_batch_of_an_evaluation_has_draws_of_its_own():
    search = RecordedSearch(1, BOX)
    model = compiled(build("wo1_kl", search=search))
    for _ in range(2):
        evaluate(model, 2 * BATCH, batch_size=BATCH)
    draws = [found for _, _, found in search.record]
    assert np.all(np.any(draws[0] != draws[1], axis=1))
    np.testing.assert_array_equal(draws[:2], draws[2:])


# Evaluation and prediction.


@every_row
def test_what_is_reported(name):
    row, model = oracles.row(name), compiled(build(name))
    names = {"loss", "cross_entropy"}
    names |= {"worst_accuracy"} if row.k else set()
    names |= {"regularizer"} if row.regularizer else set()
    natural = {"natural_accuracy"}
    trained = names if name in ("std_star", "wo3_at") else names | natural
    assert set(fit(model)) == trained
    assert set(evaluate(model)) == names | natural
    assert {metric.name for metric in model.metrics} >= trained


@pytest.mark.parametrize(
    "name, weighted, run_eagerly",
    [
        ("std", True, True), ("wo3_at", True, True), ("wo3_l2", False, True),
        ("wo3_kl_mix", True, True), ("wo3_kl_mix", False, False),
    ],
)  # fmt: skip
def test_evaluation_averages_right_over_a_ragged_last_batch(name, weighted, run_eagerly):
    count, row = 10, oracles.row(name)
    weights = np.linspace(0, 3, count).astype(np.float32) if weighted else None
    model = compiled(build_fixed(name, weight_decay=DECAY), run_eagerly=run_eagerly)
    made = {"natural": images(count).astype(np.float32), **parts(row, count)}
    logits = {
        part: np.array(model.classifier(x, training=False), np.float64) for part, x in made.items()
    }
    kernels = [oracles.weights_of(model.classifier)[i] for i in KERNELS]
    expected = oracles.total_loss(
        row, logits, labels(count), kernels, weights if weighted else 1.0, DECAY
    )
    assert_terms(evaluate(model, count, weights, batch_size=4), expected)


def test_evaluation_is_repeatable_and_changes_nothing():
    model = compiled(build("wo3_kl_mix"))
    fit(model)
    before = model.classifier.get_weights()
    first = evaluate(model)
    assert evaluate(model) == first
    for old, new in zip(before, model.classifier.get_weights()):
        np.testing.assert_array_equal(new, old)
    assert steps_taken(model.optimizer) == 1


def test_validation_within_fit():
    model = compiled(build("wo3_at"))
    data = images(8), labels(8)
    history = model.fit(
        images(), labels(), batch_size=BATCH, epochs=2, validation_data=data, verbose=0
    ).history
    trained = {"loss", "cross_entropy", "worst_accuracy"}
    evaluated = {f"val_{name}" for name in trained | {"natural_accuracy"}}
    assert set(history) == trained | evaluated
    results = evaluate(model, 8)
    for name in evaluated:
        assert history[name][-1] == pytest.approx(results[name[4:]], rel=1e-6)


@pytest.mark.parametrize("name", ["std", "wo3_kl"])
def test_predictions_are_the_classifiers(name):
    model = compiled(build(name), run_eagerly=False)
    expected = model.classifier.predict(images(), verbose=0)
    np.testing.assert_array_equal(model.predict(images(), verbose=0), expected)
    np.testing.assert_allclose(model(images().astype(np.float32)), expected, rtol=1e-5, atol=1e-6)


def test_labels_may_have_a_last_axis_of_one():
    models = [compiled(build("wo3_kl_mix")) for _ in range(2)]
    logs = [
        model.fit(images(), y, batch_size=BATCH, verbose=0, shuffle=False).history
        for model, y in zip(models, (labels(), labels()[:, None].astype(np.int64)))
    ]
    assert logs[0] == logs[1]


# What does not go together.


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({}, ValueError, "need a search, got None"),
        ({"cross_entropy": "natural", "regularizer": "kl"}, ValueError, "need a search, got None"),
        ({"cross_entropy": "natural", "search": WorstOfK(2)}, ValueError, "a search needs cross_e"),
        ({"cross_entropy": "rob"}, ValueError, "unknown cross_entropy 'rob'.*natural, worst, both"),
        ({"objective": "k1"}, ValueError, "unknown objective 'k1': did you mean 'kl'?"),
        ({"regularizer": "l3"}, ValueError, "unknown regularizer 'l3': did you mean 'l2'?"),
        ({"regularizer": abs}, TypeError, "regularizer must be a tf.keras.losses.Loss, 'kl', 'l2'"),
        ({"regularizer_weight": -1}, ValueError, "lambda must be at least 0, got -1"),
        ({"shift": 1.5}, TypeError, "shift must be an integer, got 1.5"),
        ({"shift": -1}, ValueError, "shift must be at least 0, got -1"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be at least 0, got -0.1"),
        ({"seed": 2**31}, ValueError, r"seed must be in \[0, 2147483647\], got 2147483648"),
        (
            {"search": WorstOfK(2), "cross_entropy_objective": "ce"},
            ValueError,
            "cross_entropy_objective needs a regularizer",
        ),
        (
            {"search": WorstOfK(2, warp=SpatialWarp("op")), "xla": True},
            ValueError,
            "xla needs a warp with implementation 'gather', got 'op'",
        ),
        (
            {"search": GradientSearch(2, start="zero"), "objective": "l2"},
            ValueError,
            "^S-PGD on 'l2' needs a random start",
        ),
        (
            {
                "search": GradientSearch(2, start="zero"),
                "cross_entropy_objective": "kl",
                "regularizer": "kl",
            },
            ValueError,
            "^S-PGD on 'kl' needs a random start",
        ),
        (
            {"search": WorstOfK(2, TransformationSet(12, 0, 0))},
            ValueError,
            "max_tx must be smaller than the image, 12 pixels, got 12",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused(options, error, message):
    with pytest.raises(error, match=message) as raised:
        RobustModel(oracles.classifier(), **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "loss, message",
    [
        ("sparse_categorical_crossentropy", "a tf.keras.losses.Loss of class numbers and logits"),
        (tf.keras.losses.SparseCategoricalCrossentropy(), "needs from_logits=True"),
    ],
)
def test_losses_of_another_kind_are_refused(loss, message):
    model = compiled(build("std"), loss=loss)
    with pytest.raises(ValueError, match=message):
        fit(model)


@tf.keras.utils.register_keras_serializable("tests")
class Scalar(tf.keras.losses.Loss):
    """Not one value per example."""

    def call(self, y_true, y_pred):
        return tf.reduce_mean(y_pred)


def test_a_loss_of_one_number_is_refused():
    with pytest.raises(ValueError, match="one value per example, got shape"):
        fit(compiled(build("std"), loss=Scalar()))
    with pytest.raises(ValueError, match="one value per example, got shape"):
        fit(compiled(build("wo3_kl", regularizer=Scalar())))


@pytest.mark.parametrize(
    "data, message",
    [
        ((images(),), "the data must be \\(images, labels\\), got images only"),
        ((images(), np.eye(4)[labels()]), r"labels must be class numbers 0..2, .*, got shape"),
    ],
)
def test_data_of_another_kind_is_refused(data, message):
    model = compiled(build("wo3_kl"))
    with pytest.raises(ValueError, match=message):
        model.fit(*data, batch_size=BATCH, verbose=0)
