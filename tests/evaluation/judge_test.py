"""Verdicts against NumPy, slopes against finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from spatial_keras.evaluation.judge import Judge
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.training import losses
from spatial_keras.training.gradient_search import GradientSearch
from tests import evaluation_cases as cases
from tests import oracles


def make_judge(classifier, images, labels, batch_size=8, warp="op", xla=False):
    return Judge(classifier, images, labels, SpatialWarp(warp), batch_size, xla)


@pytest.fixture(name="case")
def make_case():
    """A classifier, images, labels, and pairs of an image and a transformation."""
    classifier, images = cases.network(), cases.images()
    index = np.array([3, 0, 0, 22, 7, 3, 11, 14, 5])
    parameters = cases.BOX.sample([0, 0], [len(index)]).numpy()
    return classifier, images, cases.labels(classifier, images), index, parameters


@pytest.mark.parametrize("batch_size", [1, 4, 9, 64])
@pytest.mark.parametrize(("warp", "xla"), [("op", False), ("gather", False), ("gather", True)])
def test_margins_and_losses_are_those_of_numpy(case, batch_size, warp, xla):
    classifier, images, labels, index, parameters = case
    judge = make_judge(classifier, images, labels, batch_size, warp, xla)
    verdicts = judge(index, parameters)
    logits = cases.logits(classifier, images[index], parameters)
    expected = cases.margins(logits, labels[index])
    np.testing.assert_allclose(verdicts.margins, expected, atol=1e-5)
    losses_ = special.logsumexp(logits, axis=1) - logits[np.arange(len(index)), labels[index]]
    np.testing.assert_allclose(verdicts.losses, losses_, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(verdicts.right, logits.argmax(axis=1) == labels[index])
    assert 0 < verdicts.right.sum() < len(index)  # a case that tells


@pytest.mark.parametrize("xla", [False, True])
def test_of_equal_logits_the_first_is_the_prediction(xla):
    def tie(images, training=False):
        return images[:, 0, 0] * 0 + tf.constant([1.0, 1.0, 0.0])

    judge = make_judge(tie, cases.images(3), np.array([0, 1, 2]), warp="gather", xla=xla)
    verdicts = judge(np.arange(3), np.zeros([3, 3]))
    assert verdicts.right.tolist() == [True, False, False]
    np.testing.assert_allclose(verdicts.margins, [0, 0, -1], atol=1e-20)
    margins, _ = judge.slopes(np.arange(3), np.zeros([3, 3]))
    np.testing.assert_array_equal(margins, verdicts.margins)


def test_every_batch_is_counted(case):
    classifier, images, labels, index, parameters = case
    counts = []
    make_judge(classifier, images, labels, 4)(index, parameters, counts.append)
    assert counts == [4, 4, 1]


@pytest.mark.parametrize("xla", [False, True])
def test_slopes_are_those_of_finite_differences(case, xla):
    classifier, images, labels, index, _ = case
    judge = make_judge(classifier, images, labels, 4, "gather", xla)
    # Away from whole pixels and from the angles at which a pixel's corner is on the lattice.
    parameters = np.tile([[0.31, -0.42, 5.3]], [len(index), 1])
    found, slopes = judge.slopes(index, parameters)
    np.testing.assert_allclose(found, judge(index, parameters).margins, atol=1e-5)
    weights, bias = classifier.get_weights()

    def margins(moved):
        warped = oracles.canvas_warp(images[index], parameters + moved, 4)
        return cases.margins(warped.reshape(len(index), -1) / 255 @ weights + bias, labels[index])

    steps = 1e-5 * np.eye(3)
    expected = np.stack([margins(step) - margins(-step) for step in steps], axis=1) / 2e-5
    assert np.abs(expected).max() > 0.1  # a case that tells
    np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_each_image_climbs_from_its_start(case, batch_size):
    classifier, images, labels, index, starts = case
    search = GradientSearch(2, cases.BOX)
    judge = make_judge(classifier, images, labels, batch_size)
    objective = losses.get_objective("ce")
    found = judge.climber(search, objective)(index, starts)
    expected = search.ascend(
        classifier,
        tf.constant(images[index], tf.float32),
        tf.constant(labels[index]),
        objective,
        tf.constant(starts, tf.float32),
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (np.abs(found - starts).max(axis=1) > 0.1).all()


@pytest.mark.parametrize("xla", [False, True])
def test_outputs_that_are_not_finite_are_refused_with_the_image(xla):
    nan, inf = np.nan, np.inf
    outputs = [[1, 2, 3], [nan, 2, 3], [1, nan, 3], [nan, nan, nan], [1, 2, inf], [-inf, 2, 3]]

    def lookup(images, training=False):
        number = tf.cast(tf.round(images[:, 0, 0, 0]), tf.int32)
        return tf.gather(tf.constant(outputs, tf.float32), number) + 0 * images[:, 0, 0]

    images = np.tile(np.arange(6, dtype=np.uint8)[:, None, None, None], [1, 4, 4, 1])
    judge = make_judge(lookup, images, np.ones(6, int), 2, "gather", xla)
    for function in (judge, judge.slopes):
        function(np.zeros(2, int), np.zeros([2, 3]))
        for image in range(1, 6):
            with pytest.raises(ValueError, match=f"NaN or infinite outputs for image {image}"):
                function(np.array([0, 0, image]), np.zeros([3, 3]))


def test_slopes_need_a_gradient():
    def whole_numbers(images, training=False):
        return tf.cast(tf.cast(images[:, :3, 0, 0], tf.int32), tf.float32)

    judge = make_judge(whole_numbers, cases.images(2), np.zeros(2, int))
    with pytest.raises(ValueError, match="needs a gradient, and the classifier has none"):
        judge.slopes(np.arange(2), np.zeros([2, 3]))
