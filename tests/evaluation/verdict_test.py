"""The sentence, written by hand."""

import numpy as np
import pytest

from spatial_keras import TransformationSet
from spatial_keras.evaluation import verdict


def test_says_what_was_found():
    found = verdict.sentence(
        {"random": 0.5, "grid": 0.0715, "natural": 0.98},
        10_000,
        TransformationSet(),
        224,
        224,
        0.26,
    )
    assert found == (
        "98% right as they are; 7% under all rotations up to 30 degrees and shifts up to 3 of 224 "
        "pixels; half of what breaks does so within 7.8 degrees and 0.78 pixels."
    )


@pytest.mark.parametrize(
    ("measures", "beginning"),
    [
        (("grid", "attack"), "40% right under all rotations up to 8 degrees"),
        (("random", "worst_of_k"), "40% right under the worst found of rotations up to 8"),
        (("natural", "random"), "50% right as they are; 40% under random rotations up to 8"),
        (("natural",), "50% right as they are."),
    ],
)
def test_says_what_the_strictest_measure_found(measures, beginning):
    accuracies = dict.fromkeys(measures, 0.5)
    accuracies[measures[-1]] = 0.4 if len(measures) > 1 else 0.5
    found = verdict.sentence(accuracies, 2000, TransformationSet(0, 0, 8), 10, 10)
    assert found.startswith(beginning)


def test_few_images_have_intervals():
    found = verdict.sentence({"natural": 18 / 20}, 20, TransformationSet(), 10, 10)
    middle, half = 0.9 + 1.921 / 20, 1.96 * np.sqrt(0.09 / 20 + 0.9604 / 400)  # Wilson's
    low, high = (round(100 * (middle + end) / 1.19208) for end in (-half, half))
    assert found == (
        f"90% ({low} to {high}) right as they are. In brackets 95% intervals, of 20 images."
    )
