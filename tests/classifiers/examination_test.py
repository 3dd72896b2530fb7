"""What a classifier takes and gives is found out, or it is refused in one line."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.classifiers import examination
from spatial_keras.classifiers.outputs import Outputs

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


@pytest.mark.parametrize("wrap", [ends_in, functional, called, built])
def test_outputs_and_shape_are_found(wrap):
    for head, outputs, classes in HEADS:
        found = examination.examine(wrap(*head()))
        assert (found.outputs, found.num_classes) == (outputs, classes)
        assert found.input_shape == SHAPE


def two_heads():
    inputs = tf.keras.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    return tf.keras.Model(inputs, [layers.Dense(3, name=name)(flat) for name in ("a", "b")])


def two_inputs():
    inputs = [tf.keras.Input(SHAPE) for _ in range(2)]
    return tf.keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs[0] + inputs[1])))


def test_what_cannot_be_trained_is_refused_in_one_line():
    for make, message in [
        (lambda: len, "must be a tf.keras.Model, got builtin_function"),
        (lambda: Subclass(layers.Dense(3)), "has no weights yet: call it on a batch"),
        (lambda: tf.keras.Sequential([layers.Dense(3)]), "has no weights yet: call it on a batch"),
        (two_heads, "must give one output, it gives 2: a, b; choose one"),
        (two_inputs, "must take one batch of images, it takes 2 inputs"),
        (lambda: ends_in(layers.Dense(3, "sigmoid")), "ends in 3 sigmoid units"),
        (lambda: ends_in(layers.Dense(1, "softmax")), "softmax over one unit"),
        (lambda: ends_in(layers.Dense(3), shape=(1, 6, 6)), "looks like channels first"),
        (lambda: tf.keras.Sequential([tf.keras.Input([6]), layers.Dense(3)]), "must take images"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message) as error:
            examination.examine(make())
        assert "\n" not in str(error.value)


def test_a_classifier_for_other_data_is_refused():
    for shape, classes, message in [
        ((6, 7, 1), 3, "takes images of 6 x 6 x 1, got 6 x 7 x 1"),
        (SHAPE, 4, "has 3 classes, the data have 4"),
    ]:
        model = ends_in(layers.Dense(3))
        examination.check_fits(model, SHAPE, 3)
        with pytest.raises(ValueError, match=message):
            examination.check_fits(model, shape, classes)
