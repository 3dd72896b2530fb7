"""What a classifier takes and gives is found out, or it is refused in one line."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from spatial_keras.support import classifiers
from spatial_keras.support.classifiers import Outputs

SHAPE = (6, 6, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, [5, *SHAPE]).astype(np.float32)
layers = tf.keras.layers


def ends_in(*last, shape=SHAPE):
    return tf.keras.Sequential(
        [tf.keras.Input(shape), layers.Rescaling(1 / 255), layers.Flatten(), *last]
    )


def functional(*last):
    inputs = tf.keras.Input(SHAPE)
    return tf.keras.Model(inputs, ends_in(*last)(inputs))


class Subclass(tf.keras.Model):
    """A model that says nothing of itself."""

    def __init__(self, *last):
        super().__init__()
        self.first, self.last = layers.Flatten(), list(last)

    def call(self, images, training=None):
        x = self.first(images / 255)
        for layer in self.last:
            x = layer(x)
        return x


def called(*last):
    model = Subclass(*last)
    model(IMAGES)
    return model


def built(*last):
    model = Subclass(*last)
    model.build((None, *SHAPE))
    return model


HEADS = [
    (lambda: [layers.Dense(3)], Outputs(), 3),
    (lambda: [layers.Dense(3, "softmax")], Outputs(True), 3),
    (lambda: [layers.Dense(3), layers.Softmax()], Outputs(True), 3),
    (lambda: [layers.Dense(3), layers.Activation("softmax")], Outputs(True), 3),
    (lambda: [layers.Dense(1, "sigmoid")], Outputs(True, True), 2),
    (lambda: [layers.Dense(3), layers.Dropout(0.5)], Outputs(), 3),
]


@pytest.mark.parametrize(("head", "outputs", "classes"), HEADS)
@pytest.mark.parametrize("wrap", [ends_in, functional, called, built])
def test_outputs_and_shape_are_found(wrap, head, outputs, classes):
    found = classifiers.examine(wrap(*head()))
    assert (found.outputs, found.num_classes) == (outputs, classes)
    assert found.input_shape == SHAPE


@pytest.mark.parametrize(("head", "outputs", "classes"), HEADS[1:5])
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
    assert classifiers.look_like_probabilities(np.asarray(tf.cast(draws, dtype)))


def two_heads():
    inputs = tf.keras.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    return tf.keras.Model(inputs, [layers.Dense(3, name=name)(flat) for name in ("a", "b")])


def two_inputs():
    inputs = [tf.keras.Input(SHAPE) for _ in range(2)]
    return tf.keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs[0] + inputs[1])))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: len, "must be a tf.keras.Model, got builtin_function"),
        (lambda: Subclass(layers.Dense(3)), "has no weights yet: call it on a batch"),
        (lambda: tf.keras.Sequential([layers.Dense(3)]), "has no weights yet: call it on a batch"),
        (two_heads, "must give one output, it gives 2: a, b; choose one"),
        (two_inputs, "must take one batch of images, it takes 2 inputs"),
        (lambda: ends_in(layers.Dense(3, "sigmoid")), "ends in 3 sigmoid units"),
        (lambda: ends_in(layers.Dense(1, "softmax")), "softmax over one unit"),
        (lambda: ends_in(layers.Dense(3), shape=(1, 6, 6)), "looks like channels first"),
        (lambda: tf.keras.Sequential([tf.keras.Input([6]), layers.Dense(3)]), "must take images"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(make, message):
    with pytest.raises((TypeError, ValueError), match=message) as error:
        classifiers.examine(make())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((6, 7, 1), 3, "takes images of 6 x 6 x 1, got 6 x 7 x 1"),
        (SHAPE, 4, "has 3 classes, the data have 4"),
    ],
)
def test_a_classifier_for_other_data_is_refused(shape, classes, message):
    model = ends_in(layers.Dense(3))
    classifiers.check_fits(model, SHAPE, 3)
    with pytest.raises(ValueError, match=message):
        classifiers.check_fits(model, shape, classes)
