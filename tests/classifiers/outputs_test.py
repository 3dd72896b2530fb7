"""Outputs of every kind become logits, and logits become them."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from spatial_keras.classifiers.outputs import Outputs, look_like_probabilities

SHAPE = (6, 6, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, [5, *SHAPE]).astype(np.float32)
layers = tf.keras.layers


def ends_in(*last):
    return tf.keras.Sequential(
        [tf.keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Flatten(), *last]
    )


@pytest.mark.parametrize(
    ("head", "outputs", "classes"),
    [
        (lambda: [layers.Dense(3, "softmax")], Outputs(True), 3),
        (lambda: [layers.Dense(3), layers.Softmax()], Outputs(True), 3),
        (lambda: [layers.Dense(3), layers.Activation("softmax")], Outputs(True), 3),
        (lambda: [layers.Dense(1, "sigmoid")], Outputs(True, True), 2),
    ],
)
@pytest.mark.parametrize("execution", [lambda f: f, tf.function])
def test_logits_are_those_of_the_outputs(head, outputs, classes, execution):
    model = ends_in(*head())
    given = np.asarray(model(IMAGES), np.float64)
    logits = np.asarray(execution(lambda x: outputs.to_logits(model(x)))(tf.constant(IMAGES)))
    assert logits.shape == (5, classes)
    expected = np.concatenate([1 - given, given], axis=1) if outputs.single else given
    np.testing.assert_allclose(special.softmax(logits, axis=1), expected, atol=1e-6)
    np.testing.assert_allclose(outputs.from_logits(tf.constant(logits)), given, atol=1e-6)


def test_a_single_logit_is_that_of_class_1():
    logits = Outputs(single=True).to_logits(tf.constant([[2.0], [-1.0]]))
    np.testing.assert_array_equal(logits, [[0, 2], [0, -1]])


@pytest.mark.parametrize("execution", [lambda f: f, tf.function])
def test_the_slope_of_certain_predictions_does_not_vanish(execution):
    model = ends_in(layers.Dense(3, "softmax"))
    model.layers[-1].bias.assign([200.0, 0.0, 0.0])

    @execution
    def slope(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = Outputs(True).to_logits(model(images))
            margin = logits[:, 0] - logits[:, 1]
        return tape.gradient(margin, images)

    found = np.asarray(slope(tf.constant(IMAGES)))
    kernel = model.layers[-1].kernel.numpy()
    expected = ((kernel[:, 0] - kernel[:, 1]) / 255).reshape(SHAPE)
    np.testing.assert_allclose(found, np.tile(expected, [5, 1, 1, 1]), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_probabilities_in_16_bits_are_recognized(dtype):
    draws = special.softmax(np.random.default_rng(0).normal(size=[8, 1000]), axis=1)
    assert look_like_probabilities(np.asarray(tf.cast(draws, dtype)))
