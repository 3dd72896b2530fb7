"""What an evaluation refuses of images, labels and places."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.evaluation import Evaluator, inputs
from tests import evaluation_cases as cases


@pytest.fixture(name="case", scope="module")
def make_case():
    """A classifier of 12x12 images."""
    return (cases.network(),)


GREY = cases.images(4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GREY[:0], np.zeros(0, int), "at least 1, got 0 images and 0 labels"),
        (GREY[:3], np.zeros(2, int), "got 3 images and 2 labels"),
        (GREY[0], np.zeros(1, int), r"images must be \[n, height, width, channels\], got shape"),
        (GREY[:, :10], np.zeros(4, int), "takes images of 12 x 12 x 1, got 10 x 12 x 1"),
        (tf.data.Dataset.from_tensors((GREY, [0, 0, 0, 0])).skip(1), None, "there are no images"),
        (tf.data.Dataset.from_tensors(GREY), None, "must give .images, labels."),
    ],
)  # fmt: skip
def test_bad_data_is_refused(case, images, labels, message):
    with pytest.raises(ValueError, match=message) as error:
        Evaluator(case[0], images, labels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GREY, None, "labels are missing"),
        (tf.data.Dataset.from_tensors((GREY, [0, 0, 0, 0])), [0] * 4, "leave them out"),
    ],
)
def test_labels_are_given_once(case, images, labels, message):
    with pytest.raises(TypeError, match=message):
        Evaluator(case[0], images, labels)


@pytest.mark.parametrize("places", [[0], [0, 1, 1], [0, -1, 2], [[0, 1, 2]], [0.0, 1.0, 2.0]])
def test_places_are_different_numbers(places):
    with pytest.raises(ValueError, match="places must be 3 different integers from 0 on"):
        inputs.places_of(places, 3)


def test_places_are_in_order_by_default():
    np.testing.assert_array_equal(inputs.places_of(None, 3), [0, 1, 2])
    np.testing.assert_array_equal(inputs.places_of([7, 1, 4], 3), [7, 1, 4])


def test_names_are_one_for_each_image(case):
    with pytest.raises(ValueError, match="names must be 4, one for each image, got 2"):
        Evaluator(case[0], GREY, np.zeros(4, int), names=["a", "b"])
    places = np.array([5, 0, 2, 9])
    sample = Evaluator(case[0], GREY, np.zeros(4, int), places=places).sample
    np.testing.assert_array_equal(sample.names, places)
    assert list(sample.class_names) == ["0", "1", "2"]
