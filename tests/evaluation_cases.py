"""A small case that tests of the evaluation share, and plain NumPy answers about it."""

import numpy as np
import tensorflow as tf

from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp

BOX = TransformationSet(1, 1, 8)


def network(outputs=3, activation=None, size=12, channels=1, first_layers=()):
    """Returns a network whose answer depends on where things are."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([size, size, channels])
    x = inputs
    for layer in first_layers or (tf.keras.layers.Rescaling(1 / 255),):
        x = layer(x)
    x = tf.keras.layers.Flatten()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(outputs, activation)(x))


def images(number=23, size=12, channels=1):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, [number, size, size, channels]).astype(np.uint8)


def labels(classifier, given):
    """Returns labels that the classifier is right about on all but every seventh image."""
    found = np.argmax(classifier(given.astype(np.float32)), axis=-1).astype(np.int32)
    found[::7] = (found[::7] + 1) % 3
    return found


def logits(classifier, given, parameters):
    """Returns the logits of each image under its transformation, in one plain pass."""
    warped = SpatialWarp("op")(given, np.asarray(parameters, np.float32))
    return np.asarray(classifier(warped), np.float64)


def margins(values, given_labels):
    """Returns the label's logit minus the largest other one."""
    rows = np.arange(len(values))
    others = values.copy()
    others[rows, given_labels] = -np.inf
    return values[rows, given_labels] - others.max(axis=1)


def margin_map(classifier, given, given_labels, grid):
    """Returns the margin of every image at every point, [n, points]."""
    columns = [
        margins(logits(classifier, given, np.tile(point, [len(given), 1])), given_labels)
        for point in grid
    ]
    return np.stack(columns, axis=1)
