"""Accuracies against a plain exhaustive evaluation."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import evaluation
from spatial_keras.transformations import TransformationSet
from spatial_keras.warp import SpatialWarp


@pytest.fixture(name="classifier")
def make_classifier():
    """A network whose answer depends on where things are."""
    inputs = tf.keras.Input([12, 12, 1])
    x = tf.keras.layers.Rescaling(1 / 255)(inputs)
    x = tf.keras.layers.Flatten()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(3)(x))


@pytest.fixture(name="images")
def make_images():
    return np.random.default_rng(0).integers(0, 256, [23, 12, 12, 1]).astype(np.uint8)


@pytest.fixture(name="labels")
def make_labels(classifier, images):
    """Labels that most natural images are right about."""
    labels = np.argmax(classifier(images.astype(np.float32)), axis=-1)
    labels[::7] = (labels[::7] + 1) % 3
    return labels


def right_under(classifier, images, labels, parameters):
    """Tells whether each image is right under its transformation, in one plain pass."""
    warped = SpatialWarp("op")(images, np.asarray(parameters, np.float32))
    return np.argmax(classifier(warped), axis=-1) == labels


def test_natural_counts_untouched_images(classifier, images, labels):
    evaluator = evaluation.Evaluator(classifier, images, labels, batch_size=8)
    expected = np.arange(len(images)) % 7 != 0
    np.testing.assert_array_equal(evaluator.natural(), expected)


def test_random_is_right_under_the_draws(classifier, images, labels):
    box = TransformationSet(2, 2, 40)
    evaluator = evaluation.Evaluator(classifier, images, labels, batch_size=8)
    draws = box.sample([3, 0], [len(images)]).numpy()
    expected = right_under(classifier, images, labels, draws)
    np.testing.assert_array_equal(evaluator.random(box, seed=3), expected)


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_grid_equals_the_exhaustive_evaluation(classifier, images, labels, batch_size):
    grid = TransformationSet(1, 1, 8).grid(3, 3, 3)
    evaluator = evaluation.Evaluator(classifier, images, labels, batch_size=batch_size)
    expected = np.ones(len(images), bool)
    for point in grid:
        expected &= right_under(classifier, images, labels, np.tile(point, [len(images), 1]))
    assert 0 < expected.sum() < len(images)  # a case that tells
    np.testing.assert_array_equal(evaluator.grid(grid), expected)


def test_grid_takes_fewer_passes_than_the_exhaustive_evaluation(classifier, images, labels):
    grid = TransformationSet(3, 3, 90).grid(3, 3, 5)
    evaluator = evaluation.Evaluator(classifier, images, labels, batch_size=4)
    passes = []
    standing = evaluator.grid(grid, lambda done, left: passes.append((done, left)))
    assert len(passes) < len(images) * len(grid) / 4
    assert passes[-1] == (len(grid), standing.sum()) or standing.sum() == 0
    assert [left for _, left in passes] == sorted((left for _, left in passes), reverse=True)


def test_identity_grid_is_natural_accuracy(classifier, images, labels):
    accuracies = evaluation.Evaluator(classifier, images, labels).accuracies(
        TransformationSet(0, 0, 0)
    )
    assert (
        accuracies.natural
        == accuracies.grid
        == accuracies.random
        == np.mean(np.arange(len(images)) % 7 != 0)
    )


def test_xla_gives_the_same_answer(classifier, images, labels):
    box = TransformationSet(1, 1, 8)
    plain = evaluation.Evaluator(classifier, images, labels, batch_size=16)
    compiled = evaluation.Evaluator(classifier, images, labels, batch_size=16, xla=True)
    np.testing.assert_array_equal(plain.grid(box.grid(3, 3, 3)), compiled.grid(box.grid(3, 3, 3)))


def test_one_image(classifier, images, labels):
    evaluator = evaluation.Evaluator(classifier, images[1:2], labels[1:2])
    assert evaluator.natural().tolist() == [True]


@pytest.mark.parametrize("numbers", [(0, 0), (3, 2)])
def test_refuses_images_without_labels(classifier, images, labels, numbers):
    with pytest.raises(ValueError, match=f"got {numbers[0]} images and {numbers[1]} labels"):
        evaluation.Evaluator(classifier, images[: numbers[0]], labels[: numbers[1]])
