"""Images, labels and models for tests of what `fit` is given."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import spatial_keras as sk

X = np.random.default_rng(0).integers(0, 256, [16, 12, 12, 1]).astype(np.uint8)
Y = np.arange(16) % 4
BATCH = 8


def network(units=4, activation=None, size=12):
    """Returns a network for images of 12x12, or (None) of any size."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([size, size, 1])
    x = tf.keras.layers.Rescaling(1 / 255)(inputs)
    if size is None:
        x = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Conv2D(4, 5)(x))
    else:
        x = tf.keras.layers.Flatten()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(units, activation)(x))


def model(classifier=None, **options):
    robust = sk.RobustModel(
        classifier or network(), sk.WorstOfK(2), objective="kl", regularizer="kl"
    )
    robust.compile("sgd", **{"jit_compile": False, **options})
    return robust
