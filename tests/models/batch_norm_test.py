"""Networks with BatchNorm over all replicas."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models import batch_norm

IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 16, 16, 1)).astype(np.float32)


def norms(model):
    layers = [
        inside
        for one in model.layers
        for inside in (one.layers if isinstance(one, tf.keras.Model) else [one])
    ]
    return [one for one in layers if isinstance(one, tf.keras.layers.BatchNormalization)]


@pytest.mark.parametrize("name", ["resnet8", "vgg11", "stn_resnet8"])
def test_a_copy_is_the_same_network(name):
    size = 32 if name == "vgg11" else 16
    original = models.get(name, num_classes=4, input_shape=(size, size, 1), width=0.25)
    copy = batch_norm.synchronized(original)
    assert norms(copy) and all(one.synchronized for one in norms(copy))
    images = np.resize(IMAGES, (6, size, size, 1))
    np.testing.assert_allclose(copy(images), original(images), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        copy(images, training=True), original(images, training=True), rtol=1e-3, atol=1e-3
    )


def test_models_within_models_are_copied():
    inner = tf.keras.Sequential([tf.keras.Input([3]), tf.keras.layers.BatchNormalization()])
    inputs = tf.keras.Input([3])
    copy = batch_norm.synchronized(tf.keras.Model(inputs, inner(inputs)))
    (inside,) = [layer for layer in copy.layers if isinstance(layer, tf.keras.Model)]
    assert [one.synchronized for one in norms(inside)] == [True]


class Subclassed(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.norm = tf.keras.layers.BatchNormalization()

    def call(self, x):
        return self.norm(x)


def test_what_cannot_be_synchronized_is_refused():
    for model, message in [
        (tf.keras.Sequential([tf.keras.Input([3]), tf.keras.layers.Dense(2)]), "has no BatchNorm"),
        (Subclassed(), "functional models only"),
    ]:
        with pytest.raises(ValueError, match=message):
            batch_norm.synchronized(model)
