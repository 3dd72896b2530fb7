"""What `fit` and `evaluate` take, as Keras's do, the count of steps, and what is refused."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import (
    GradientSearch,
    RobustModel,
    SpatialWarp,
    TransformationSet,
    WorstOfK,
)
from spatial_keras.support import compat
from tests import search_oracles as oracles
from tests.keras_state import steps_taken
from tests.robust_models import (
    BATCH,
    BOX,
    RecordedSearch,
    assert_terms,
    build,
    compiled,
    evaluate,
    fit,
    images,
    labels,
)

# Evaluation and prediction.


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
        ({"regularizer_weight": -1}, ValueError, "^regularizer_weight must be at least 0, got -1"),
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
        (((images(),),), "the data must be \\(images, labels\\), got images only"),
        ((images(), np.eye(4)[labels()]), r"labels must be class numbers 0..2, .*, got shape"),
    ],
)
def test_data_of_another_kind_is_refused(data, message):
    model = compiled(build("wo3_kl"))
    with pytest.raises(ValueError, match=message):
        model.fit(*data, batch_size=BATCH, verbose=0)


def test_without_a_search_there_are_no_worst_transformations():
    with pytest.raises(ValueError, match="needs a model with a search"):
        build("std").worst_transformations(images(), labels(), [0, 0])


# As Keras does.


@pytest.mark.parametrize("name", ["fit", "evaluate", "predict", "compile"])
def test_the_methods_take_what_those_of_keras_take(name):
    ours, theirs = (inspect.signature(getattr(m, name)) for m in (RobustModel, tf.keras.Model))
    parameters = list(theirs.parameters.values())
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    ours.bind(*positional)
    ours.bind(None, **{p.name: p for p in positional[1:]})


def test_the_size_of_a_batch_may_come_third():
    models = [compiled(build("wo2_kl")) for _ in range(2)]
    losses = [
        models[0].fit(images(), labels(), 3, verbose=0, shuffle=False).history["loss"],
        models[1].fit(images(), labels(), batch_size=3, verbose=0, shuffle=False).history["loss"],
    ]
    assert losses[0] == losses[1]
    assert models[0].evaluate(images(), labels(), 3, 0) == models[1].evaluate(
        images(), labels(), batch_size=3, verbose=0
    )


# The count of steps.


def draws_of(model, search, optimizer, steps):
    compiled(model, optimizer)
    fit(model, steps=steps)
    return [found for _, _, found in search.record]


def recorded(**options):
    search = RecordedSearch(1, BOX)
    return build("std_star", search=search, **options), search


@pytest.mark.skipif(not compat.IS_KERAS_3, reason="Keras 2.15 accumulates no gradients")
def test_accumulated_batches_have_draws_of_their_own():
    plain, accumulated = (
        draws_of(*recorded(), tf.keras.optimizers.SGD(1e-9, **options), 5)
        for options in ({}, {"gradient_accumulation_steps": 4})
    )
    np.testing.assert_array_equal(accumulated, plain)
    assert len(np.unique(plain)) == np.size(plain)


def test_steps_that_loss_scaling_skips_have_draws_of_their_own():
    model, search = recorded(weight_decay=100.0)  # so that the scaled loss is infinite
    before = model.classifier.get_weights()[0]
    kind = tf.keras.mixed_precision.LossScaleOptimizer
    optimizer = kind(tf.keras.optimizers.SGD(0.1), initial_scale=3e38)
    draws = draws_of(model, search, optimizer, 3)
    np.testing.assert_array_equal(model.classifier.get_weights()[0], before)
    assert len(np.unique(draws)) == np.size(draws)
    assert int(tf.keras.backend.get_value(model.train_steps)) == 3


def test_another_compile_goes_on_with_the_draws():
    model, search = recorded()
    draws_of(model, search, tf.keras.optimizers.SGD(0.1), 2)
    draws = draws_of(model, search, tf.keras.optimizers.SGD(0.1), 2)
    once = draws_of(*recorded(), tf.keras.optimizers.SGD(0.1), 4)
    np.testing.assert_array_equal(draws, once)


class CountedSearch(WorstOfK):
    """Counts how often Python runs it: once for each time that it is compiled."""

    calls = 0

    def __call__(self, *arguments):
        self.calls += 1
        return super().__call__(*arguments)


def test_an_eager_step_is_compiled_once():
    search = CountedSearch(2, BOX, SpatialWarp("gather"))
    model = build("wo2_at", search=search, xla=True)
    first = fit(compiled(model, run_eagerly=True), steps=3)
    assert search.calls == 1
    twin = compiled(build("wo2_at", warp=SpatialWarp("gather"), xla=True), run_eagerly=False)
    assert_terms(fit(twin, steps=3), first, rtol=1e-4)
