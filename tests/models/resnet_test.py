from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models.resnet import resnet
from tests.models import networks
from tests.models.networks import counted, random_images, randomize


class NumpyResNet(networks.NumpyNetwork):
    """The network in float64 NumPy, written from its description, with a model's weights."""

    def __call__(self, images, depth, widths):
        x = self.conv(self.standardize(images))
        for stage, width in enumerate(widths):
            for block in range((depth - 2) // 6):
                stride = 2 if stage and not block else 1
                branch = self.activate(x)
                shortcut = branch if stage == block == 0 else networks.pool(x, stride, np.mean)
                missing = width - x.shape[-1]
                sides = (missing // 2, missing - missing // 2)
                shortcut = np.pad(shortcut, [(0, 0)] * 3 + [sides])
                x = shortcut + self.conv(self.activate(self.conv(branch, stride)))
        return self.classify(self.activate(x))

    def activate(self, x):
        x = self.norm(x)
        return np.where(x > 0, x, 0.1 * x)


@pytest.mark.parametrize(
    "depth, width, size, classes",
    [
        (8, 1.0, (32, 32, 3), 10),
        (14, 0.5, (32, 32, 3), 10),
        (14, 1.0, (28, 28, 1), 7),
        (8, 1.0, (33, 19, 4), 2),
        (8, 0.3, (5, 6, 1), 1),
    ],
)
def test_equals_a_numpy_network(depth, width, size, classes):
    model = randomize(resnet(depth, classes, size, width))
    images = random_images(4, *size)
    widths = [round(width * channels) for channels in (16, 32, 64)]
    expected = NumpyResNet(model)(images.astype(np.float64), depth, widths)
    logits = model(images, training=False)
    assert logits.shape == (4, classes)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def count(depth, width=1.0, classes=10, channels=3):
    """The trainable numbers and BatchNorm's moving ones, by formula."""
    blocks = (depth - 2) // 6
    narrow, middle, wide = (round(width * channels) for channels in (16, 32, 64))
    convs = 9 * (
        channels * narrow
        + 2 * blocks * narrow**2
        + narrow * middle + (2 * blocks - 1) * middle**2
        + middle * wide + (2 * blocks - 1) * wide**2
    )  # fmt: skip
    # One norm before each conv but the first, of that conv's input; and one before the pooling.
    norms = (2 * blocks + 1) * narrow + 2 * blocks * middle + 2 * blocks * wide
    return convs + 2 * norms + (wide + 1) * classes, 2 * norms


def test_resnet32_has_the_papers_466_thousand_parameters():
    model = resnet()
    assert model.count_params() == 466_426
    assert counted(model) == count(32) == (464_154, 2_272)


@pytest.mark.parametrize(
    "depth", [8, 14, 20, *(pytest.param(depth, marks=pytest.mark.slow) for depth in (44, 56))]
)
def test_number_of_parameters(depth):
    model = models.get(f"resnet{depth}")
    assert model.name == f"resnet{depth}"
    assert counted(model) == count(depth)


@pytest.mark.parametrize("width", [1 / 16, 0.3, 0.5, 2.0])
@pytest.mark.parametrize("classes, channels", [(10, 3), (1, 4)])
def test_number_of_parameters_of_other_widths(width, classes, channels):
    options = {"num_classes": classes, "input_shape": (16, 16, channels), "width": width}
    assert counted(models.get("resnet8", **options)) == count(8, width, classes, channels)


def test_refuses_bad_options():
    for options, error, message in [
        ({"depth": 33}, ValueError, r"depth must be 6n \+ 2 .*, got 33; nearest 32\."),
        ({"depth": 9}, ValueError, r"depth must be 6n \+ 2 .*, got 9; nearest 8\."),
        ({"depth": 2}, ValueError, r"depth must be in \[8, 1202\], got 2"),
        (
            {"depth": 9_999_998},
            ValueError,
            r"depth must be in \[8, 1202\], got 9999998",
        ),
        ({"depth": 8.0}, TypeError, "depth must be an integer, got 8.0"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"width": 0.01}, ValueError, "width must be at least 0.0625, got 0.01"),
        ({"width": "wide"}, TypeError, "width must be a number, got 'wide'"),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            resnet(**options)


def test_get_refuses_unknown_names():
    for name, hint in [("resnt32", "resnet32"), ("resnet", "resnet8"), ("", None)]:
        hint = rf": did you mean '{hint}'\?" if hint else r"\."
        with pytest.raises(ValueError, match=f"^unknown model '{name}'{hint} Allowed: resnet8, "):
            models.get(name)


def test_get_refuses_a_depth_that_does_not_exist():
    with pytest.raises(ValueError, match="got 33; nearest 32"):
        models.get("resnet33")


def test_networks_are_of_channels_last_whatever_keras_json_says():
    tf.keras.backend.set_image_data_format("channels_first")
    try:
        model = models.get("resnet8", num_classes=4, input_shape=(8, 8, 1), width=0.25)
        assert tf.keras.backend.image_data_format() == "channels_first"
    finally:
        tf.keras.backend.set_image_data_format("channels_last")
    assert model(np.zeros([2, 8, 8, 1])).shape == (2, 4)
