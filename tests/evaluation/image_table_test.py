"""The columns against rows made by hand."""

import numpy as np

from spatial_keras import TransformationSet
from spatial_keras.evaluation import Outcome, Sample, image_table

SAMPLE = Sample(
    np.array([0, 1, 0, 1]), ("cat", "dog"), ["a.png", "=b.png", "c.png", 7], (8, 8),
    TransformationSet(2, 2, 20),
)  # fmt: skip


def outcome(name, margins, angles, predictions, right=None, passes=4):
    transformations = np.zeros([4, 3], np.float32)
    transformations[:, 2] = angles
    margins = np.array(margins, np.float32)
    right = margins >= 0 if right is None else np.array(right)
    predictions = np.array(predictions, np.int32)
    return Outcome(name, right, transformations, margins, predictions, passes, 0, "", SAMPLE)


def test_the_worst_comes_first_with_the_smallest_that_breaks_it():
    natural = outcome("natural", [1, 1, -1, 2], [0, 0, 0, 0], [0, 1, 1, 1])
    grid = outcome("grid", [-1, -2, -1, 1], [20, -5, 0, 9], [1, 0, 1, 1])
    random = outcome(
        "random", [-3, 0.5, -1, 1], [10, 3, 9, 9], [1, 1, 1, 1], [0.75, 1, 0, 1], passes=16
    )
    found = image_table.columns([natural, random, grid])
    assert list(found["image"]) == [2, 1, 0, 3]
    assert list(found["name"]) == ["c.png", "=b.png", "a.png", 7]
    assert list(found["label"]) == ["cat", "dog", "cat", "dog"]
    assert list(found["prediction"]) == ["dog", "dog", "cat", "dog"]
    assert list(found["survives"]) == [False, False, False, True]
    np.testing.assert_array_equal(found["rotation"], [0, -5, 10, np.nan])
    np.testing.assert_array_equal(found["size"], [0, 0.25, 0.5, np.nan])
    assert list(found["prediction_there"]) == ["dog", "cat", "dog", None]
    np.testing.assert_array_equal(found["margin"], [-1, -2, -3, 1])
    np.testing.assert_array_equal(found["random_right"], [0, 1, 0.75, 1])
    np.testing.assert_array_equal(found["share_broken"], [1, 0, 0.25, 0])
    np.testing.assert_allclose(found["share_at_most"][1], 1 - 0.05**0.25)  # no draw of 4
    assert list(image_table.columns([grid])["image"]) == [2, 1, 0, 3]
    assert "prediction" not in image_table.columns([grid])
