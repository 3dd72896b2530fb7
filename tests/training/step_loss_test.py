"""The loss and the gradient step: of every row of the table, and with parts of one's own."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests import search_oracles as oracles
from tests.robust_models import (
    BATCH,
    DECAY,
    KERNELS,
    POINT,
    WEIGHTS,
    Distance,
    FixedSearch,
    Hinge,
    Recorder,
    assert_terms,
    assert_weights_equal,
    build,
    build_fixed,
    compiled,
    evaluate,
    every_row,
    first_logits,
    fit,
    images,
    labels,
    parts,
)

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


@pytest.mark.parametrize("name", ["std", "wo3_at", "wo3_klc_nat", "wo3_kl_mix", "wo3_l2"])
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


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_at_as_released_has_its_cross_entropy_on_the_second_half_of_the_batch(weights):
    row = oracles.row("wo3_at")
    half = np.repeat([0.0, 2.0], BATCH // 2) * (1 if weights is None else weights)
    network = oracles.weights_of(oracles.classifier())
    expected = oracles.training_terms(row, network, parts(row), labels(), half)
    logs = fit(compiled(build("wo3_at_half", search=FixedSearch())), weights=weights)
    assert logs["cross_entropy"] == pytest.approx(expected["cross_entropy"], rel=1e-5)
    assert logs["loss"] == pytest.approx(expected["loss"], rel=1e-5)


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


# Loss, regularizer and metrics of one's own.


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
