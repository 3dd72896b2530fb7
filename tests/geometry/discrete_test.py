"""Quarter turns and flips move pixels exactly, as NumPy does."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet

EXACT = TransformationSet(0, 0, 0, quarter_turns=True, flip=True)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_quarter_turns_and_flips_move_pixels_exactly():
    images = noise(2, 12, 12, 3)
    parameters = np.tile(EXACT.grid(), [2, 1, 1])
    layer = SpatialWarp("gather").along(EXACT)
    moved = [[np.rot90(image, int(row[3])) for row in EXACT.grid()] for image in images]
    moved = [
        [turned[:, ::-1] if row[4] else turned for turned, row in zip(each, EXACT.grid())]
        for each in moved
    ]
    for run in (layer, SpatialWarp("op").along(EXACT), tf.function(layer, jit_compile=True)):
        np.testing.assert_array_equal(run(images, parameters), moved)
    flips = TransformationSet(0, 0, 0, flip=True)
    wide = noise(1, 9, 14, 1)
    found = SpatialWarp().along(flips)(wide, flips.grid()[1:])
    np.testing.assert_array_equal(found, np.flip(wide, axis=2))


def test_discrete_axes_are_drawn_listed_and_clipped():
    draws = EXACT.sample([1, 2], [4000]).numpy()
    for column, number in ((3, 4), (4, 2)):
        values, counts = np.unique(draws[:, column], return_counts=True)
        np.testing.assert_array_equal(values, np.arange(number))
        assert counts.min() > 0.9 * 4000 / number
    assert abs(np.corrcoef(draws[:, 3], draws[:, 4])[0, 1]) < 0.05
    np.testing.assert_array_equal(
        EXACT.grid((1, 1, 1, 2, 2))[:, 3:], [[0, 0], [0, 1], [1, 0], [1, 1]]
    )
    np.testing.assert_array_equal(EXACT.clip([[0, 0, 0, 2.4, 7]]), [[0, 0, 0, 2, 1]])
    np.testing.assert_array_equal(EXACT.spacing((1, 1, 1, 4, 2)), [0, 0, 0, 0, 0])
    np.testing.assert_array_equal(EXACT.sizes([[0, 0, 0, 0, 0], [0, 0, 0, 1, 0]]), [0, 1])
    with pytest.raises(ValueError, match=r"^number of points in flip must be in \[1, 2\], got 3"):
        EXACT.grid((1, 1, 1, 4, 3))
