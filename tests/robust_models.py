"""RobustModels of a tiny network, and their steps, that the tests of RobustModel share."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet, WorstOfK
from spatial_keras.training import defenses
from spatial_keras.training.search import Search
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
