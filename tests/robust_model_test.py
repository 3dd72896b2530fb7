from __future__ import annotations

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import RobustModel, SpatialWarp, TransformationSet, WorstOfK, compat, defenses
from spatial_keras.search import Search
from tests import search_oracles as oracles

ROWS = oracles.table(3)
NAMES = [name for name, _ in ROWS]
BATCH = 6
DECAY = 2e-4
BOX = TransformationSet(3, 2, 30)
POINT = TransformationSet(0, 0, 0)
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 3.0, 0.25], np.float32)
# What FixedSearch answers to each objective.
FIXED = {"ce": (1.5, -2.0, 20.0), "kl": (-2.0, 0.5, -25.0), "l2": (0.25, 1.75, 12.0)}
KERNELS = (0, 4)

every_row = pytest.mark.parametrize("name", NAMES)


class FixedSearch(Search):
    """Answers each objective with a transformation of its own."""

    def __call__(self, classifier, images, labels, objective, seed):
        return tf.tile(tf.constant([FIXED[objective.name]]), [tf.shape(images)[0], 1])


class RecordedSearch(WorstOfK):
    """Notes what it is asked and what it answers."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.record = []

    def __call__(self, classifier, images, labels, objective, seed):
        found = super().__call__(classifier, images, labels, objective, seed)
        self.record.append((objective.name, np.array(seed), np.array(found)))
        return found


class Recorder(tf.keras.layers.Layer):
    """Hands (images, training) of every eager call to a function; passes the images on."""

    def __init__(self, note):
        super().__init__(dtype="float32")
        self.note = note

    def call(self, images, training=None):
        if tf.executing_eagerly():
            self.note((np.array(images), bool(training)))
        return images


def images(count=BATCH):
    return oracles.images(count)


def labels(count=BATCH):
    return oracles.labels(count)


def build(name, classifier=None, transformations=BOX, **options):
    classifier = oracles.classifier() if classifier is None else classifier
    return defenses.get(name).build(classifier, transformations, **options)


def build_fixed(name, classifier=None, **options):
    search = FixedSearch() if oracles.row(name).k else None
    return build(name, classifier, search=search, **options)


def compiled(model, optimizer=None, run_eagerly=True, jit_compile=False, **options):
    optimizer = optimizer or tf.keras.optimizers.SGD(0.02, momentum=0.9)
    if run_eagerly:
        options["run_eagerly"] = True
    model.compile(optimizer, jit_compile=jit_compile, **options)
    return model


def fit(model, steps=1, weights=None, count=BATCH):
    """Steps on the same batch; the logs of each."""
    history = model.fit(
        images(count), labels(count), batch_size=count, sample_weight=weights, epochs=steps,
        shuffle=False, verbose=0,
    )  # fmt: skip
    return {name: np.array(values) for name, values in history.history.items()}


def evaluate(model, count=BATCH, weights=None, batch_size=BATCH):
    return model.evaluate(
        images(count), labels(count), sample_weight=weights, batch_size=batch_size,
        return_dict=True, verbose=0,
    )  # fmt: skip


@functools.cache
def warped(objective, count):
    """The images as FixedSearch answers to an objective."""
    parameters = np.tile(np.float32(FIXED[objective]), (count, 1))
    return np.array(SpatialWarp()(images(count).astype(np.float32), parameters))


def parts(row, count=BATCH):
    """The images that FixedSearch leads to in training, by name."""
    names = oracles.names_of_parts(row)
    made = {"natural": images(count).astype(np.float32)} if "natural" in names else {}
    if "worst" in names:
        made["worst"] = warped(row.objective or "ce", count)
    if "second" in names:
        made["second"] = warped(row.second_objective, count)
    return made


def assert_weights_equal(first, second, **tolerance):
    for x, y in zip(first.classifier.get_weights(), second.classifier.get_weights()):
        np.testing.assert_allclose(x, y, **{"rtol": 0, "atol": 0, **tolerance})


def weights_differ(first, second):
    pairs = zip(first.classifier.get_weights(), second.classifier.get_weights())
    return any(np.any(x != y) for x, y in pairs)


def assert_terms(logs, expected, rtol=1e-5):
    assert set(logs) == set(expected)
    for term, value in expected.items():
        np.testing.assert_allclose(np.squeeze(logs[term]), value, rtol=rtol, atol=1e-7)


# The loss and the gradient step of every row of the table, against NumPy.


@functools.cache
def one_step(name):
    """The logs of a step, the batches that the network saw, and the gradient, by lr = 1."""
    seen = []
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = build_fixed(name, classifier, weight_decay=DECAY, shift=0)
    compiled(model, tf.keras.optimizers.SGD(1.0))
    before = oracles.weights_of(classifier)
    logs = fit(model)
    gradient = [old - new for old, new in zip(before, oracles.weights_of(classifier))]
    return logs, seen, gradient


@every_row
def test_the_loss_and_its_parts(name):
    row = oracles.row(name)
    weights = oracles.weights_of(oracles.classifier())
    expected = oracles.training_terms(row, weights, parts(row), labels(), decay=DECAY)
    assert_terms(one_step(name)[0], expected)


@every_row
def test_one_batch_in_training_mode(name):
    row = oracles.row(name)
    ((batch, training),) = one_step(name)[1]
    assert training
    size = {"std": 1, "std_star": 1, "wo3_at": 1, "wo3_kl_mix": 3, "wo3_l2": 3, "wo3_l2_mix": 3}
    assert len(batch) == size.get(name, 2) * BATCH
    expected = np.concatenate([part.ravel() for part in parts(row).values()])
    np.testing.assert_allclose(np.sort(batch.ravel()), np.sort(expected), atol=1e-3)


@every_row
def test_the_gradient_step_by_finite_differences(name):
    row, made = oracles.row(name), parts(oracles.row(name))
    weights = oracles.weights_of(oracles.classifier())
    random = np.random.default_rng(0)
    for i, gradient in enumerate(one_step(name)[2]):
        direction = random.normal(size=gradient.shape)

        def loss(step, i=i, direction=direction):
            moved = [*weights[:i], weights[i] + step * direction, *weights[i + 1 :]]
            return oracles.training_terms(row, moved, made, labels(), decay=DECAY)["loss"]

        slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-3, atol=3e-5)


@every_row
def test_the_gradient_step_by_a_tape(name):
    row, made = oracles.row(name), parts(oracles.row(name))
    network = oracles.classifier()
    with tf.GradientTape() as tape:
        logits = network(np.concatenate(list(made.values())), training=True)
        z = dict(zip(made, tf.split(logits, len(made))))
        judged = [z["natural"]] if row.cross_entropy != "worst" else []
        judged += [z.get("second", z.get("worst"))] if row.cross_entropy != "natural" else []
        log_p = [tf.nn.log_softmax(each) for each in judged]
        chosen = [tf.reduce_sum(tf.one_hot(labels(), 3) * each, -1) for each in log_p]
        loss = -tf.reduce_mean(chosen)
        if row.regularizer == "kl":
            p, q = (tf.nn.log_softmax(z[part]) for part in ("natural", "worst"))
            loss += row.weight * tf.reduce_mean(tf.reduce_sum(tf.exp(p) * (p - q), -1))
        if row.regularizer == "l2":
            distance = tf.reduce_sum(tf.square(z["natural"] - z["worst"]), -1)
            loss += row.weight * tf.reduce_mean(distance) / 4
    expected = [np.array(g) for g in tape.gradient(loss, network.trainable_variables)]
    for i in KERNELS:
        expected[i] += DECAY * oracles.weights_of(network)[i]
    for gradient, each in zip(one_step(name)[2], expected):
        np.testing.assert_allclose(gradient, each, rtol=1e-4, atol=3e-6)


@pytest.mark.parametrize("name", ["std", "wo3_at", "wo3_klc_nat", "wo3_kl_mix", "wo3_l2"])
def test_sample_weights_and_the_division_by_the_batch_size(name):
    row = oracles.row(name)
    weights = oracles.weights_of(oracles.classifier())
    expected = oracles.training_terms(row, weights, parts(row), labels(), WEIGHTS)
    assert_terms(fit(compiled(build_fixed(name, shift=0)), weights=WEIGHTS), expected)


def test_lambda_is_the_regularizers_weight():
    logs = {
        weight: fit(compiled(build_fixed("wo3_kl", regularizer_weight=weight)))
        for weight in (0.0, 2.5)
    }
    np.testing.assert_allclose(logs[0.0]["loss"], logs[0.0]["cross_entropy"], rtol=1e-6)
    total = logs[2.5]["cross_entropy"] + 2.5 * logs[2.5]["regularizer"]
    np.testing.assert_allclose(logs[2.5]["loss"], total, rtol=1e-6)


def test_weight_decay_is_on_kernels_only_whatever_the_layers_names():
    layers = tf.keras.layers
    inputs = tf.keras.Input(oracles.SHAPE)
    x = layers.Conv2D(2, 3, name="kernel_layer", bias_initializer="ones")(inputs)
    x = layers.BatchNormalization(name="kernel_norm")(x)
    x = layers.DepthwiseConv2D(3, name="depthwise", bias_initializer="ones")(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(3, name="kernel_dense", bias_initializer="ones")(x)
    classifier = tf.keras.Model(inputs, outputs)
    names = ("kernel_layer", "depthwise", "kernel_dense")
    kernels = [classifier.get_layer(name).get_weights()[0] for name in names]
    logs = fit(compiled(build("std", classifier, weight_decay=1.0)))
    expected = sum((kernel**2).sum() / 2 for kernel in kernels)
    np.testing.assert_allclose(logs["loss"] - logs["cross_entropy"], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["kernel_regularizer", "activity_regularizer"])
def test_the_classifiers_own_penalties_count_once(kind):
    option = {kind: tf.keras.regularizers.L2(0.01)}
    classifier, twin = oracles.classifier(**option), oracles.classifier(**option)
    logs = fit(compiled(build("wo3_kl_mix", classifier, POINT)))
    twin(np.concatenate(3 * [images().astype(np.float32)]), training=True)
    penalty = float(tf.add_n(twin.losses))
    np.testing.assert_allclose(logs["loss"] - logs["cross_entropy"], penalty, rtol=1e-4)


# The search inside the step.


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


# Loss, regularizer and metrics of one's own.


@tf.keras.utils.register_keras_serializable("tests")
class Hinge(tf.keras.losses.Loss):
    """Largest logit of another class, less the label's, plus 1, if positive."""

    def call(self, y_true, y_pred):
        label = tf.one_hot(y_true, y_pred.shape[-1], dtype=y_pred.dtype)
        other = tf.reduce_max(y_pred - 1e9 * label, axis=-1)
        return tf.nn.relu(1.0 + other - tf.reduce_sum(label * y_pred, axis=-1))


@tf.keras.utils.register_keras_serializable("tests")
class Distance(tf.keras.losses.Loss):
    """Sum of absolute differences."""

    def call(self, y_true, y_pred):
        return tf.reduce_sum(abs(y_true - y_pred), axis=-1)


def first_logits(name):
    """Logits of the first step's images by name, in training mode."""
    made = parts(oracles.row(name))
    weights = oracles.weights_of(oracles.classifier())
    logits = oracles.training_logits(weights, np.concatenate(list(made.values())))
    return dict(zip(made, np.split(logits, len(made))))


def test_a_loss_takes_the_place_of_the_cross_entropy():
    name, y = "wo3_alp_mix", labels()
    logs = fit(compiled(build_fixed(name), loss=Hinge()), weights=WEIGHTS)
    logits = first_logits(name)
    values = []
    for part in ("natural", "worst"):
        others = np.where(np.eye(3)[y] == 1, -np.inf, logits[part]).max(-1)
        values.append(np.maximum(0, 1 + others - logits[part][np.arange(BATCH), y]))
    expected = (WEIGHTS * np.mean(values, 0)).mean()
    np.testing.assert_allclose(logs["cross_entropy"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], expected + logs["regularizer"], rtol=1e-5)


@pytest.mark.parametrize("reduction", ["none", "sum", "sum_over_batch_size"])
def test_keras_cross_entropy_is_the_default_whatever_its_reduction(reduction):
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    models = [compiled(build_fixed("wo3_kl_mix"), loss=each) for each in (None, loss)]
    logs = [fit(model, steps=2, weights=WEIGHTS) for model in models]
    assert_terms(logs[1], logs[0])
    assert_weights_equal(*models, rtol=1e-5, atol=1e-6)


def test_a_regularizer_of_ones_own():
    regularizer = Distance(name="distance")
    model = build_fixed("wo3_kl", regularizer=regularizer, regularizer_weight=0.5)
    logs = fit(compiled(model), weights=WEIGHTS)
    logits = first_logits("wo3_kl")
    expected = (WEIGHTS * abs(logits["natural"] - logits["worst"]).sum(-1)).mean()
    np.testing.assert_allclose(logs["regularizer"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], logs["cross_entropy"] + expected / 2, rtol=1e-5)


@pytest.mark.parametrize("name", ["std", "wo3_at", "wo3_kl"])
def test_metrics_of_ones_own(name):
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy
    metrics, weighted = [accuracy("mine")], [accuracy("weighed")]
    model = build_fixed(name, shift=0)
    compiled(model, metrics=metrics, weighted_metrics=weighted)
    logs = fit(model, weights=WEIGHTS)
    judged = "worst" if name == "wo3_at" else "natural"
    assert logs["weighed"] == pytest.approx(logs[f"{judged}_accuracy"])
    hits = first_logits(name)[judged].argmax(-1) == labels()
    assert logs["mine"] == pytest.approx(hits.mean())
    results = evaluate(model, weights=WEIGHTS)
    assert results["weighed"] == pytest.approx(results["natural_accuracy"])


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
    assert compat.step(model.optimizer) == 1


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


# Modes of execution.


def build_with_everything(**options):
    """Shift, two searches, both kinds of images, decay, and penalties of the classifier's own."""
    classifier = oracles.classifier(activity_regularizer=tf.keras.regularizers.L2(1e-3))
    return build("wo2_kl_mix", classifier, shift=2, weight_decay=DECAY, **options)


@pytest.fixture(scope="module")
def two_steps():
    """A model after two steps as plain graphs, with its logs."""
    model = compiled(build_with_everything(), run_eagerly=False)
    return model, fit(model, steps=2)


@pytest.mark.parametrize(
    "xla, options",
    [
        pytest.param(False, {}, id="eager"),
        pytest.param(True, {"run_eagerly": False}, id="inner", marks=pytest.mark.slow),
        pytest.param(
            False, {"run_eagerly": False, "jit_compile": True}, id="whole", marks=pytest.mark.slow
        ),
    ],
)
def test_all_modes_take_the_same_steps(two_steps, xla, options):
    plain, expected = two_steps
    model = compiled(build_with_everything(xla=xla), **options)
    assert_terms(fit(model, steps=2), expected, rtol=1e-4)
    assert_weights_equal(model, plain, rtol=1e-4, atol=1e-4)
    assert evaluate(model) == pytest.approx(evaluate(plain), rel=1e-3)


def test_several_steps_in_one_execution():
    models = [
        compiled(build("std_star"), run_eagerly=False, steps_per_execution=steps)
        for steps in (1, 2)
    ]
    for model in models:
        model.fit(images(12), labels(12), batch_size=3, shuffle=False, verbose=0)
    assert_weights_equal(*models, atol=1e-6)


# Determinism.


def test_the_same_seed_gives_the_same_weights():
    first, second, other = (compiled(build("wo3_kl_mix", seed=seed)) for seed in (1, 1, 2))
    for model in (first, second, other):
        fit(model, steps=3)
    assert_weights_equal(first, second)
    assert weights_differ(first, other)


@pytest.mark.parametrize("name", ["std", "std_star", "wo3_kl"])
def test_draws_depend_on_the_step(name):
    whole = compiled(build(name), tf.keras.optimizers.SGD(0.1))
    fit(whole, steps=2)
    middle = whole.classifier.get_weights()
    fit(whole)
    resumed, restarted = (compiled(build(name), tf.keras.optimizers.SGD(0.1)) for _ in range(2))
    for model in (resumed, restarted):
        model.classifier.set_weights(middle)
    resumed.optimizer.iterations.assign(2)
    for model in (resumed, restarted):
        fit(model)
    assert_weights_equal(resumed, whole)
    assert weights_differ(restarted, whole)


# Saving.


def optimizer_state(model):
    variables = model.optimizer.variables
    return [np.array(v) for v in (variables() if callable(variables) else variables)]


def assert_goes_on_equally(model, path):
    model.save(path)
    loaded = tf.keras.models.load_model(path)
    assert type(loaded) is RobustModel
    expected = model.predict(images(), verbose=0)
    np.testing.assert_array_equal(loaded.predict(images(), verbose=0), expected)
    assert compat.step(loaded.optimizer) == compat.step(model.optimizer) > 0
    states = [optimizer_state(each) for each in (model, loaded)]
    assert len(states[0]) == len(states[1])
    for x, y in zip(*states):
        np.testing.assert_array_equal(x, y)
    assert_terms(fit(loaded), fit(model), rtol=0)
    assert_weights_equal(loaded, model)
    return loaded


@every_row
def test_a_loaded_model_goes_on_equally(name, tmp_path):
    options = {"regularizer_weight": 1.5, "weight_decay": 0.1, "seed": 9}
    model = compiled(build(name, **options))
    fit(model)
    loaded = assert_goes_on_equally(model, tmp_path / "model.keras")
    for attribute in ("cross_entropy", "shift", "xla", *options):
        assert getattr(loaded, attribute) == getattr(model, attribute)
    assert repr(loaded.search).split("warp")[0] == repr(model.search).split("warp")[0]
    for attribute in ("objective", "cross_entropy_objective"):
        assert getattr(loaded, attribute) == getattr(model, attribute)
    assert type(loaded.regularizer) is type(model.regularizer)


def test_a_loaded_model_has_the_parts_of_ones_own(tmp_path):
    search = WorstOfK(4, TransformationSet(1, 0, 90), SpatialWarp(composition="joint"), 3)
    model = build("wo4_kl", search=search, regularizer=Distance(name="distance"))
    compiled(model, tf.keras.optimizers.Adam(0.01), run_eagerly=False, loss=Hinge())
    fit(model)
    loaded = assert_goes_on_equally(model, tmp_path / "model.keras")
    assert type(loaded.regularizer) is Distance and type(loaded.loss) is Hinge
    assert loaded.search.transformations == search.transformations
    assert (loaded.search.k, loaded.search.candidates_per_pass) == (4, 3)
    assert loaded.search.warp.composition == "joint"


@pytest.mark.slow
def test_the_classifier_alone_loads_without_this_package(tmp_path):
    model = compiled(build("wo3_kl"))
    fit(model)
    model.classifier.save(tmp_path / "classifier.keras")
    np.save(tmp_path / "images.npy", images())
    code = (
        "import sys; sys.modules['spatial_keras'] = None\n"
        "import numpy as np, tensorflow as tf\n"
        "model = tf.keras.models.load_model('classifier.keras')\n"
        "np.save('logits.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-5, atol=1e-6)


# Mixed precision.


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def policy(request):
    tf.keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    tf.keras.mixed_precision.set_global_policy("float32")


def single_precision(make):
    """Makes under the policy float32."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    made = make()
    tf.keras.mixed_precision.set_global_policy(policy)
    return made


@pytest.mark.parametrize(
    "policy, xla",
    [
        ("mixed_float16", False),
        ("mixed_bfloat16", False),
        pytest.param("mixed_float16", True, marks=pytest.mark.slow),
    ],
    indirect=["policy"],
)
def test_mixed_precision_trains(policy, xla):
    options = {"weight_decay": DECAY, "regularizer_weight": 0.1}
    model = compiled(build_fixed("wo3_kl_mix", **options, xla=xla), run_eagerly=False)
    assert model.classifier(images()).dtype == policy.split("_")[1]
    exact = single_precision(lambda: compiled(build_fixed("wo3_kl_mix", **options)))
    before = exact.classifier.get_weights()
    logs, expected = fit(model, steps=3), fit(exact, steps=3)
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=0.05)
    assert compat.step(model.optimizer) == 3
    changes = [
        np.concatenate([np.ravel(x - y) for x, y in zip(each.classifier.get_weights(), before)])
        for each in (model, exact)
    ]
    assert np.linalg.norm(changes[0] - changes[1]) < 0.1 * np.linalg.norm(changes[1])


@tf.keras.utils.register_keras_serializable("tests")
class Tiny(tf.keras.losses.Loss):
    """Cross-entropy / 10^7, whose gradient is nothing in float16 unless the loss is scaled."""

    def call(self, y_true, y_pred):
        return 1e-7 * tf.keras.losses.sparse_categorical_crossentropy(
            y_true, y_pred, from_logits=True
        )


@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_float16_scales_the_loss(policy):
    optimizers = [tf.keras.optimizers.SGD(1e6) for _ in range(2)]
    model = compiled(build_fixed("wo3_at"), optimizers[0], loss=Tiny())
    assert isinstance(model.optimizer, tf.keras.mixed_precision.LossScaleOptimizer)
    exact = single_precision(lambda: compiled(build_fixed("wo3_at"), optimizers[1], loss=Tiny()))
    before = exact.classifier.get_layer("conv").get_weights()[0]
    for each in (model, exact):
        fit(each)
    changes = [
        each.classifier.get_layer("conv").get_weights()[0] - before for each in (model, exact)
    ]
    assert np.linalg.norm(changes[0] - changes[1]) < 0.05 * np.linalg.norm(changes[1])


def test_mixed_precision_does_not_round_grey_levels(policy):
    seen = []
    grey = (images() / 255 * 254 + 0.03).astype(np.float32)
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = compiled(build_fixed("wo3_kl", classifier))
    model.fit(grey, labels(), batch_size=BATCH, shuffle=False, verbose=0)
    model.evaluate(grey, labels(), batch_size=BATCH, verbose=0)
    model.predict(grey, batch_size=BATCH, verbose=0)
    assert [len(batch) for batch, _ in seen] == [2 * BATCH, 2 * BATCH, BATCH]
    worst = single_precision(lambda: SpatialWarp()(grey, np.tile(FIXED["kl"], (BATCH, 1))))
    for batch, _ in seen:
        assert batch.dtype == np.float32
        np.testing.assert_array_equal(batch[:BATCH], grey)
        np.testing.assert_allclose(batch[BATCH:], worst[: len(batch) - BATCH], atol=1e-3)


def test_mixed_precision_models_load(policy, tmp_path):
    model = compiled(build("wo3_kl", regularizer_weight=0.1))
    fit(model)
    loaded = assert_goes_on_equally(model, tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(model.optimizer)


# Several devices.


@pytest.fixture(scope="module")
def strategy():
    devices = tf.config.list_logical_devices("CPU")
    assert len(devices) >= 2, "tests/conftest.py gives two logical CPUs"
    return tf.distribute.MirroredStrategy([device.name for device in devices[:2]])


def build_under(strategy, name, batch_norm=True, run_eagerly=True, **options):
    with strategy.scope():
        model = build(name, oracles.classifier(batch_norm), **options)
        return compiled(model, run_eagerly=run_eagerly)


@pytest.mark.slow
def test_two_replicas_train_and_evaluate_with_and_without_xla(strategy):
    models = [build_under(strategy, "wo2_at", run_eagerly=False, xla=xla) for xla in (False, True)]
    logs = [fit(model, steps=2, count=8) for model in models]
    assert_terms(logs[1], logs[0], rtol=1e-4)
    assert_weights_equal(*models, rtol=1e-4, atol=1e-4)
    assert compat.step(models[0].optimizer) == 2
    results = [evaluate(model, 8, batch_size=8) for model in models]
    assert results[0] == pytest.approx(results[1], rel=1e-3)
    assert set(results[0]) == {*logs[0], "natural_accuracy"}


@pytest.mark.parametrize("name", ["wo2_at_mix", "wo2_l2"])
def test_two_replicas_take_the_step_of_one(strategy, name):
    options = {"batch_norm": False, "transformations": POINT, "weight_decay": 0.1}
    strategies = (strategy, tf.distribute.get_strategy())
    models = [build_under(each, name, **options) for each in strategies]
    weights = np.linspace(0, 2, 8).astype(np.float32)
    logs = [fit(model, steps=2, weights=weights, count=8) for model in models]
    assert_terms(*logs)
    assert_weights_equal(*models, atol=1e-6)
    results = [evaluate(model, 8, weights, batch_size=8) for model in models]
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_replicas_draw_for_themselves(strategy):
    seen = []
    with strategy.scope():
        classifier = oracles.classifier(False, before=[Recorder(seen.append)])
        model = compiled(build("std_star", classifier))
    twice = np.repeat(images(1), 2, axis=0)
    model.fit(twice, np.zeros(2, np.int32), batch_size=2, verbose=0)
    first, second = (batch for batch, _ in seen)
    assert len(first) == len(second) == 1
    assert np.any(abs(first - second) > 1)


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
        ((images(), np.eye(3)[labels()]), r"labels must be class numbers \[batch\], got shape"),
    ],
)
def test_data_of_another_kind_is_refused(data, message):
    model = compiled(build("wo3_kl"))
    with pytest.raises(ValueError, match=message):
        model.fit(*data, batch_size=BATCH, verbose=0)
