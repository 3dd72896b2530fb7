"""On equal warps, foolbox's grid attack breaks the very images that ours does."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk

foolbox = pytest.importorskip("foolbox")

# foolbox moves by half widths: a shift of 1 is (width - 1) / width of a pixel.
WIDTH = 12
PIXEL = WIDTH / (WIDTH - 1)


@pytest.fixture(name="case", scope="module")
def make_case():
    """A network, images with a black frame, and labels that most images are right about.

    foolbox cuts off at the last pixel where ours fades to black; a frame makes that the same.
    """
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([WIDTH, WIDTH, 1])
    x = tf.keras.layers.Rescaling(1 / 255)(inputs)
    x = tf.keras.layers.Conv2D(4, 5, activation="relu")(x)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(tf.keras.layers.Flatten()(x)))
    images = np.zeros([60, WIDTH, WIDTH, 1], np.float32)
    images[:, 1:-1, 1:-1] = np.random.default_rng(0).uniform(0, 255, [60, 10, 10, 1])
    labels = np.argmax(model(images), axis=-1)
    labels[::9] = (labels[::9] + 1) % 3
    return model, images, labels


# foolbox takes the shift before the rotation and ours after it: their grids of one of the two are
# the same set of transformations, and those of both are not.
@pytest.mark.parametrize(
    ("theirs", "ours", "counts"),
    [
        ((0.5 * PIXEL, 0, 5, 1), (0.5, 0.5, 0), (5, 5, 1)),
        ((2 * PIXEL, 0, 3, 1), (2, 2, 0), (3, 3, 1)),
        ((0, 8, 1, 31), (0, 0, 8), (1, 1, 31)),
        ((0, 40, 1, 5), (0, 0, 40), (1, 1, 5)),
    ],
)
def test_the_same_images_break(case, theirs, ours, counts):
    model, images, labels = case
    attack = foolbox.attacks.SpatialAttack(*theirs)
    criterion = foolbox.criteria.Misclassification(tf.constant(labels))
    bounded = foolbox.TensorFlowModel(model, bounds=(0, 255))
    _, _, broken = attack(bounded, tf.constant(images), criterion)
    evaluator = sk.evaluation.Evaluator(
        model, images, labels, transformations=sk.TransformationSet(*ours),
        warp=sk.SpatialWarp("op", "joint"),
    )  # fmt: skip
    outcome = evaluator.grid(counts)
    assert 0.1 < outcome.accuracy < 0.9  # a case that tells
    np.testing.assert_array_equal(outcome.right, ~broken.numpy())


def test_foolbox_takes_the_saved_classifier_of_a_robust_model(case, tmp_path):
    model, images, labels = case
    robust = sk.RobustModel(model, sk.WorstOfK(2))
    robust.classifier.save(tmp_path / "classifier.keras")
    loaded = tf.keras.models.load_model(tmp_path / "classifier.keras")
    found = foolbox.accuracy(
        foolbox.TensorFlowModel(loaded, bounds=(0, 255)), tf.constant(images), tf.constant(labels)
    )
    assert found == pytest.approx(sk.evaluation.Evaluator(model, images, labels).natural().accuracy)


def test_a_model_of_foolbox_is_evaluated(case):
    """It scales images from 0..1 to the classifier's range by itself."""
    model, images, labels = case
    theirs = foolbox.TensorFlowModel(model, bounds=(0, 255)).transform_bounds((0, 1))
    box = sk.TransformationSet(1, 1, 8)
    found, expected = (
        sk.evaluation.Evaluator(one, images, labels, transformations=box, input_range=(0, high))
        for one, high in ((theirs, 1), (model, 255))
    )
    np.testing.assert_array_equal(found.grid((3, 3, 3)).right, expected.grid((3, 3, 3)).right)
