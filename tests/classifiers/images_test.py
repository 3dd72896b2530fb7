"""Images are pixel values 0..255 of one size, for training and evaluation alike."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.classifiers import images
from spatial_keras.evaluation import Evaluator
from tests.fit_cases import X, Y, model

GREY = X[:4]
WRONG = {
    "0..1": (GREY / 255, r"these are 0..1: multiply them by 255.*input_range=\(0, 1\)"),
    "bool": (GREY > 99, "these are 0..1: multiply"),
    "negative": (GREY - 0.5, "must be pixel values 0..255, got -0.5 to"),
    "too large": (GREY * 3.0, "must be pixel values 0..255, got 0 to 7"),
    "NaN": (np.where(GREY == GREY[0, 0, 0, 0], np.nan, GREY), "got nan to nan"),
    "black": (0 * GREY, "must be pixel values 0..255, these are black"),
    "ragged": (tf.ragged.stack([GREY[0], GREY[1, 1:]]), "differ in size: resize them"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("use", ["fit", "evaluate", "Evaluator"])
def test_a_wrong_set_is_refused_by_all(case, use):
    given, message = WRONG[case]
    labels = Y[: given.shape[0]]
    with pytest.raises(ValueError, match=message) as error:
        if use == "Evaluator":
            Evaluator(model().classifier, given, labels)
        else:
            getattr(model(), use)(given, labels, verbose=0)
    assert "\n" not in str(error.value)


def dark_last():
    """Images of which one is almost black."""
    given = X.copy()
    given[-1] = 0
    given[-1, 3, 3] = 1
    return given


@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_an_image_that_is_almost_black_ends_nothing(kind):
    robust, data = model(), (dark_last(), Y)
    if kind == "dataset":
        data = (tf.data.Dataset.from_tensor_slices(data).batch(1),)
    options = {"batch_size": 1} if kind == "array" else {}
    losses = robust.fit(*data, verbose=0, **options).history["loss"]
    losses.append(robust.evaluate(*data, verbose=0, return_dict=True, **options)["loss"])
    assert np.isfinite(losses).all()


def test_large_images_go_in_smaller_passes():
    assert images.images_per_pass((32, 32, 3), 256) == 256
    large = images.images_per_pass((1024, 1024, 3), 256)
    assert 1 <= large * 6 * 1024 * 1024 * 3 * 4 <= 256e6
    assert images.images_per_pass((10**4, 10**4, 3), 256) == 1
