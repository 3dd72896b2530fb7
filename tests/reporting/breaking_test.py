"""Which images a page shows, and that its pictures are of those that break."""

import types

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import evaluation, figures
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.reporting import breaking


def evaluated(natural, breaks, labels):
    """What is read of an evaluation: which images are right, and what breaks them."""
    smallest = np.where(breaks, 1.0, np.nan)
    return types.SimpleNamespace(
        found={"classifier": "some"},
        right={"natural": np.array(natural, float)},
        smallest={name: smallest for name in ("tx", "ty", "rotation")},
        labels=labels,
    )


def test_most_images_to_explore_break_and_some_stand():
    labels = np.arange(40) % 2
    natural = np.arange(40) >= 5  # the first five are wrong as they are
    breaks = np.arange(40) < 25
    numbers = breaking.to_explore([evaluated(natural, breaks, labels)], labels)
    assert len(set(numbers)) == 12
    assert numbers[:9].min() >= 5 and numbers[:9].max() < 25
    assert numbers[9:].min() >= 25
    assert np.bincount(labels[numbers[:9]]).min() == 4


def test_with_few_that_break_the_others_fill_up():
    labels = np.zeros(12, int)
    natural = np.arange(12) != 11
    numbers = breaking.to_explore([evaluated(natural, np.arange(12) == 3, labels)], labels)
    assert (numbers[0], numbers[-1]) == (3, 11) and sorted(numbers) == [*range(12)]


def test_an_image_breaks_if_one_of_two_classifiers_fails():
    labels = np.zeros(4, int)
    right = np.ones(4)
    two = [evaluated(right, np.arange(4) == place, labels) for place in (2, 3)]
    assert [*breaking.to_explore(two, labels)] == [2, 3, 0, 1]


@pytest.fixture(name="evaluators")
def make_evaluators():
    """A classifier by the brightest pixel of the first row, and one that is always right."""
    images = np.zeros([4, 4, 4, 1], np.float32)
    labels = np.arange(4) % 2
    images[np.arange(4), 0, labels] = 255
    box = TransformationSet(max_tx=1, max_ty=0, max_rotation=0)
    fragile = lambda x: x[:, 0, :2, 0]  # noqa: E731
    always = lambda x: x[:, 0, :2, 0] + tf.stack([x[:, 0, 3, 0], x[:, 0, 2, 0]], -1)  # noqa: E731
    return [
        evaluation.Evaluator(net, images, labels, transformations=box, outputs="logits")
        for net in (fragile, always)
    ]


def test_the_contrast_is_of_images_that_break_the_first_alone(evaluators, monkeypatch):
    drawn = {}
    names = ("images", "turned", "captions", "labels", "said")
    monkeypatch.setattr(figures, "contrast", lambda *found: drawn.update(zip(names, found)))
    labels = evaluators[0].labels
    first = evaluated([1, 1, 0, 1], [1, 1, 1, 0], labels)
    second = evaluated([1, 1, 1, 1], [0, 1, 0, 0], labels)
    breaking.contrast([first, second], evaluators, ("A", "B"))
    np.testing.assert_array_equal(drawn["images"], evaluators[0].images[[0]])
    # Of S with the bounds (1, 0, 0), tx = ty = rotation = 1 is a shift by a pixel to the right.
    warped = evaluators[0].warp(evaluators[0].images[[0]], np.ones([1, 3], np.float32))
    np.testing.assert_array_equal(drawn["turned"], warped)
    assert drawn["labels"] == ["0"] and {*drawn["said"]} == {"A", "B"}


def test_there_is_no_picture_where_nothing_breaks(evaluators):
    labels = evaluators[0].labels
    stands = evaluated(np.ones(4), np.zeros(4), labels)
    assert breaking.broken(stands, evaluators[0]) is None
    assert breaking.contrasted([stands, stands], evaluators) is None
