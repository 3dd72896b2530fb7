"""Images across the classes."""

import numpy as np

from spatial_keras.data import across_classes


def test_each_class_has_its_turn():
    labels = np.array([2, 2, 2, 0, 0, 5])
    assert across_classes(labels, 4).tolist() == [3, 0, 5, 4]
    assert across_classes(labels, 9).tolist() == [3, 0, 5, 4, 1, 2]


def test_of_no_images_there_are_none():
    assert across_classes(np.array([], int), 3).tolist() == []
