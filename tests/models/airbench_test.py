from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models.airbench import airbench
from tests.models import networks
from tests.models.networks import counted, part, random_images, randomize


class NumpyAirbench(networks.NumpyNetwork):
    """The network in float64 NumPy, written from its description, with a model's weights."""

    def __call__(self, images):
        x = self.standardize(images)
        (kernel,) = next(self.convs)
        x = gelu(
            sum(x[:, i : i + x.shape[1] - 1, j : j + x.shape[2] - 1] @ kernel[i, j]
                for i in (0, 1) for j in (0, 1))
        )  # fmt: skip
        for _ in range(3):
            x = self.conv(x)
            even = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
            x = gelu(self.norm(networks.pool(even, 2, np.max)))
            x = gelu(self.norm(self.conv(x)))
        return self.classify(x)


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


@pytest.mark.parametrize(
    "width, size, classes",
    [
        (1.0, (32, 32, 3), 10),
        (1 / 8, (28, 28, 1), 7),
        (1 / 32, (64, 64, 3), 2),
        (1 / 8, (9, 19, 4), 1),
    ],
)
def test_equals_a_numpy_network(width, size, classes):
    model = randomize(airbench(classes, size, width))
    images = random_images(4, *size)
    expected = NumpyAirbench(model)(images.astype(np.float64))
    logits = model(images, training=False)
    assert logits.shape == (4, classes)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("width, classes, channels", [(1, 10, 3), (0.5, 7, 1), (1 / 32, 2, 4)])
def test_number_of_parameters(width, classes, channels):
    model = models.get("airbench", num_classes=classes, input_shape=(32, 32, channels), width=width)
    widths = [round(width * block) for block in (32, 32, 128, 128, 128, 128)]
    convs = sum(9 * before * after for before, after in zip([8 * channels, *widths], widths))
    trained = convs + 2 * sum(widths) + (widths[-1] + 1) * classes
    assert counted(model) == (trained, 2 * sum(widths) + 4 * channels * 8 * channels)


def correlated_images(count, height, width, channels):
    """Neighbouring pixels and colours have much in common, as in photographs."""
    fine = np.random.default_rng(3).normal(size=(count, height + 2, width + 2, channels))
    smooth = fine[:, 2:, 2:] + fine[:, 1:-1, 2:] + fine[:, 2:, 1:-1] + fine[:, :-2, :-2] / 2
    colors = smooth + smooth.mean(axis=-1, keepdims=True)
    return (128 + 20 * colors).clip(0, 255).astype(np.uint8)


# More than are whitened at a time, and a last few.
@pytest.mark.parametrize("shape", [(300, 32, 32, 3), (40, 28, 28, 1), (20, 64, 64, 3)])
def test_whitened_patches_are_uncorrelated_and_of_variance_1(shape):
    images = correlated_images(*shape)
    model = airbench(10, shape[1:], 1 / 32)
    models.adapt(model, images)
    patches = part(model, "whitening")(images.astype(np.float32)).numpy().astype(np.float64)
    half = 4 * shape[-1]
    assert patches.shape == (shape[0], shape[1] - 1, shape[2] - 1, 2 * half)
    covariance = np.cov(patches[..., :half].reshape(-1, half).T, bias=True)
    # Of the smallest variance before, here above 0.03, 5e-4 are added.
    np.testing.assert_allclose(covariance, np.eye(half), atol=0.02)
    np.testing.assert_array_equal(patches[..., half:], -patches[..., :half])


def test_images_of_one_color_are_whitened_to_finite_numbers():
    model = airbench(2, (16, 16, 3), 1 / 32)
    images = np.full([5, 16, 16, 3], 255, np.uint8)
    models.adapt(model, images)
    assert np.isfinite(model(images.astype(np.float32))).all()


def test_training_leaves_the_whitening_as_it_is():
    images = correlated_images(16, 16, 16, 1)
    model = airbench(2, (16, 16, 1), 1 / 32)
    models.adapt(model, images)
    first, others = model.get_layer("whitening").get_weights()[0], model.get_weights()
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss=loss)
    model.fit(images.astype(np.float32), np.arange(16) % 2, verbose=0)
    np.testing.assert_array_equal(model.get_layer("whitening").get_weights()[0], first)
    assert any(np.any(old != new) for old, new in zip(others, model.get_weights()))


def test_other_networks_take_nothing_from_images():
    model = models.get("resnet8", input_shape=(16, 16, 1), width=1 / 8)
    before = model.get_weights()
    models.adapt(model, random_images(4, 16, 16, 1))
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(new, old)


def test_refuses_bad_options():
    for options, error, message in [
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"width": 0.01}, ValueError, "width must be at least 0.03125, got 0.01"),
        (
            {"input_shape": (8, 32, 3)},
            ValueError,
            "airbench halves images three times: they must be at least 9x9, got 8x32",
        ),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            airbench(**options)
