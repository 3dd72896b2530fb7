"""Images are cut and resized."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.data.sizing import Sizing, central_square

IMAGE = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("share", "rows", "columns"),
    [
        (1.0, slice(0, 8), slice(2, 10)),
        (0.5, slice(2, 6), slice(4, 8)),
        (0.01, slice(3, 4), slice(5, 6)),
    ],
)
def test_the_square_in_the_middle(share, rows, columns):
    np.testing.assert_array_equal(central_square(IMAGE, share), IMAGE[rows, columns])
    tall = IMAGE.swapaxes(0, 1)
    np.testing.assert_array_equal(central_square(tall, share), tall[columns, rows])


@pytest.mark.parametrize("execution", [lambda function: function, tf.function])
def test_an_image_is_cut_and_then_resized(execution):
    found = execution(Sizing(4, 0.5))(tf.constant(IMAGE))
    np.testing.assert_array_equal(found, IMAGE[2:6, 4:8])
    # Without a crop all of it is there: the mean stays.
    whole = np.asarray(execution(Sizing(4))(tf.constant(IMAGE)), float)
    assert whole.shape == (4, 4, 3)
    np.testing.assert_allclose(whole.mean(), IMAGE.mean(), atol=8)
    np.testing.assert_array_equal(Sizing()(IMAGE), IMAGE)


def test_refuses():
    for arguments, message in [
        ((0, None), "image_size must be at least 1"),
        ((8, 0.0), r"crop must be in \(0, 1\]"),
        ((8, 1.1), "crop must be"),
        ((None, 0.5), "--crop needs --image_size"),
    ]:
        with pytest.raises(ValueError, match=message):
            Sizing(*arguments)
