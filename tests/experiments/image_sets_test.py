"""The images that a run takes of a data set, and those that are too few or too small for it."""

import numpy as np
import pytest

from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import image_sets


@pytest.fixture(name="digits", scope="module")
def load_digits():
    return image_sets.load(RunConfig(image_size=8))


def test_held_out_images_are_none_of_those_trained_on(digits):
    found = image_sets.select(RunConfig(validation_images=50, train_images=100), digits)
    assert (len(found.test_images), len(found.train_images)) == (50, 100)
    pixels = [{image.tobytes() for image in np.asarray(part)} for part in (
        found.test_images, found.train_images, digits.test_images
    )]  # fmt: skip
    assert not pixels[0] & pixels[2]
    again = image_sets.select(RunConfig(validation_images=50, train_images=100, seed=1), digits)
    assert not np.array_equal(found.train_images, again.train_images)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"batch_size": 5000}, "^batch_size of data set 'digits' must be in"),
        ({"test_images": 361}, "^--test_images with data set 'digits' must be in"),
        ({"max_translation": 4.5}, "^--max_translation must be half the image's size at most, 4 p"),
    ],
)
def test_what_does_not_fit_is_refused(digits, flags, message):
    with pytest.raises(ValueError, match=message):
        image_sets.select(RunConfig(**{"max_translation": 1.0, **flags}), digits)
