"""A part of a sample."""

import numpy as np

from spatial_keras import TransformationSet
from spatial_keras.evaluation import Sample


def test_a_part_has_the_labels_and_names_of_its_images():
    whole = Sample(np.arange(4), "abcd", ["w", 7, "y", "z"], (2, 2), TransformationSet())
    part = whole.part(np.array([3, 1]))
    assert (part.number, list(part.labels), part.names) == (2, [3, 1], ["z", 7])
    assert part.transformations is whole.transformations
