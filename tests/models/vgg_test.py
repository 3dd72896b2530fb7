from __future__ import annotations

import numpy as np
import pytest

from spatial_keras import models
from spatial_keras.models.vgg import vgg
from tests.models import networks
from tests.models.networks import counted, random_images, randomize

# As the paper writes them: widths of convolutions, M for max pooling.
PLANS = {
    11: "64 M 128 M 256 256 M 512 512 M 512 512 M",
    13: "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


class NumpyVgg(networks.NumpyNetwork):
    """The network in float64 NumPy, written from its plan, with a model's weights."""

    def __call__(self, images, depth):
        x = self.standardize(images)
        for step in PLANS[depth].split():
            if step == "M":
                x = networks.pool(x, 2, np.max)
            else:
                x = np.maximum(self.norm(self.conv(x)), 0)
        return self.classify(x)


@pytest.mark.parametrize(
    "depth, width, size, classes",
    [
        (16, 1 / 8, (32, 32, 3), 10),
        (11, 1 / 16, (28, 28, 1), 7),
        (13, 0.1, (33, 17, 4), 2),
        (19, 1 / 64, (40, 70, 1), 1),
    ],
)
def test_equals_a_numpy_network(depth, width, size, classes):
    model = randomize(vgg(depth, classes, size, width))
    images = random_images(4, *size)
    expected = NumpyVgg(model)(images.astype(np.float64), depth)
    logits = model(images, training=False)
    assert logits.shape == (4, classes)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def count(depth, width=1.0, classes=10, channels=3):
    """The trainable numbers and BatchNorm's moving ones, by formula."""
    widths = [round(width * int(step)) for step in PLANS[depth].split() if step != "M"]
    convs = sum(9 * before * after for before, after in zip([channels, *widths], widths))
    return convs + 2 * sum(widths) + (widths[-1] + 1) * classes, 2 * sum(widths)


def test_vgg16_is_the_one_that_is_usual_for_cifar10():
    model = models.get("vgg16")
    assert model.name == "vgg16"
    assert model.output_shape == (None, 10)
    # The convolutions, BatchNorm's scales and offsets, and the dense layer.
    assert counted(model) == count(16) == (14_710_464 + 8_448 + 5_130, 8_448)


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
@pytest.mark.parametrize("width, classes, channels", [(1 / 64, 1, 1), (0.3, 7, 4), (0.5, 10, 3)])
def test_number_of_parameters(depth, width, classes, channels):
    options = {"num_classes": classes, "input_shape": (28, 28, channels), "width": width}
    assert counted(models.get(f"vgg{depth}", **options)) == count(depth, width, classes, channels)


@pytest.mark.parametrize("size, left", [(17, 1), (28, 1), (32, 1), (33, 2), (64, 2)])
def test_each_stage_halves_the_image(size, left):
    model = vgg(11, input_shape=(size, 17, 1), width=1 / 64)
    pooled = [layer.output.shape for layer in model.layers if "max_pool" in layer.name]
    assert len(pooled) == 5
    assert tuple(pooled[-1][1:3]) == (left, 1)


def test_refuses_bad_options():
    for options, error, message in [
        ({"depth": 17}, ValueError, r"depth must be 11, 13, 16 or 19, got 17; nearest 16\.$"),
        ({"depth": 2}, ValueError, r"depth must be 11, 13, 16 or 19, got 2; nearest 11\.$"),
        ({"depth": "16"}, TypeError, "depth must be an integer, got '16'"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"width": 0.01}, ValueError, "width must be at least 0.015625, got 0.01"),
        (
            {"input_shape": (16, 32, 3)},
            ValueError,
            "vgg16 halves images five times: they must be at least 17x17, got 16x32",
        ),
        ({"input_shape": (8, 8, 1)}, ValueError, "vgg16 .* at least 17x17, got 8x8"),
        ({"input_shape": (32, 8, 1)}, ValueError, "vgg16 .* at least 17x17, got 32x8"),
        ({"width": "wide"}, TypeError, "width must be a number, got 'wide'"),
    ]:
        with pytest.raises(error, match=f"^{message}") as raised:
            vgg(**options)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name, hint", [("vgg-16", "vgg16"), ("vvg13", "vgg13")])
def test_get_knows_the_nearest_name(name, hint):
    with pytest.raises(ValueError, match=rf"^unknown model '{name}': did you mean '{hint}'\?"):
        models.get(name)


def test_get_refuses_a_depth_that_does_not_exist():
    with pytest.raises(ValueError, match="^depth must be .* got 18; nearest 19"):
        models.get("vgg18")
