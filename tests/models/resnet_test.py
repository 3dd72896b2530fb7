from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models.resnet import resnet

layers = tf.keras.layers


def layers_of(model, kind):
    """Layers of one kind, from the input to the output: none of these lies on a shortcut."""
    return [layer for layer in model.layers if isinstance(layer, kind)]


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def randomize(model):
    """Gives every weight a value that a mistake in the structure would show."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        shapes = [weight.shape for weight in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            # gamma, beta, moving mean, moving variance
            values = [rng.uniform(*limits, s) for limits, s in
                      zip([(0.5, 1.5), (-0.5, 0.5), (-1, 1), (0.2, 2)], shapes)]  # fmt: skip
        else:
            values = [rng.normal(0, np.sqrt(2 / max(1, np.prod(s[:-1]))), s) for s in shapes]
        layer.set_weights(values)
    return model


class NumpyResNet:
    """The network in float64 NumPy, written from its description, with a model's weights."""

    def __init__(self, model):
        def weights(kind):
            return iter([
                [value.astype(np.float64) for value in layer.get_weights()]
                for layer in layers_of(model, kind)
            ])  # fmt: skip

        self.convs = weights(layers.Conv2D)
        self.norms = weights(layers.BatchNormalization)
        (self.dense,) = weights(layers.Dense)

    def __call__(self, images, depth, widths):
        deviation = np.maximum(images.std(axis=(1, 2, 3)), 1 / np.sqrt(images[0].size))
        x = images - images.mean(axis=(1, 2, 3), keepdims=True)
        x = self.conv(x / deviation[:, None, None, None])
        for stage, width in enumerate(widths):
            for block in range((depth - 2) // 6):
                stride = 2 if stage and not block else 1
                branch = self.activate(x)
                shortcut = branch if stage == block == 0 else average_pool(x, stride)
                missing = width - x.shape[-1]
                sides = (missing // 2, missing - missing // 2)
                shortcut = np.pad(shortcut, [(0, 0)] * 3 + [sides])
                x = shortcut + self.conv(self.activate(self.conv(branch, stride)))
        kernel, bias = self.dense
        logits = self.activate(x).mean(axis=(1, 2)) @ kernel + bias
        assert next(self.convs, None) is next(self.norms, None) is None
        return logits

    def activate(self, x):
        gamma, beta, mean, variance = next(self.norms)
        x = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
        return np.where(x > 0, x, 0.1 * x)

    def conv(self, x, stride=1):
        (kernel,) = next(self.convs)
        out_height, out_width = (-(-size // stride) for size in x.shape[1:3])
        # Zeros as TensorFlow's SAME: as few as possible, the odd one after.
        missing = [(-(-size // stride) - 1) * stride + 3 - size for size in x.shape[1:3]]
        x = np.pad(x, [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)])
        return sum(
            x[:, i:, j:][:, ::stride, ::stride][:, :out_height, :out_width] @ kernel[i, j]
            for i in range(3)
            for j in range(3)
        )


def average_pool(x, stride):
    """Averages over squares; those beyond an odd border hold fewer pixels."""
    rows = [x[:, i : i + stride] for i in range(0, x.shape[1], stride)]
    columns = range(0, x.shape[2], stride)
    squares = [[row[:, :, j : j + stride].mean(axis=(1, 2)) for j in columns] for row in rows]
    return np.moveaxis(np.array(squares), 2, 0)


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


def counted(model):
    kinds = (model.trainable_weights, model.non_trainable_weights)
    return tuple(sum(int(np.prod(weight.shape)) for weight in weights) for weights in kinds)


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


@pytest.mark.parametrize("size", [(32, 32, 3), (28, 28, 1), (9, 14, 4)])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_standardizes_each_image(size, policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    model = resnet(8, input_shape=size)
    standardize = tf.keras.Model(model.inputs[0], model.get_layer("standardize").output)
    images = random_images(5, *size)
    images[1] = 200 + images[1] % 20
    images[2], images[3], images[4] = 0, 7, 255
    standardized = standardize(images)
    assert standardized.dtype == tf.float32
    expected = tf.image.per_image_standardization(images).numpy()
    np.testing.assert_allclose(standardized[:2], expected[:2], atol=1e-4, rtol=0)
    np.testing.assert_allclose(standardized[2:], expected[2:], atol=1e-3, rtol=0)


def test_mixed_precision_gives_float32_logits():
    images = random_images(4, 16, 16, 3)
    model = randomize(resnet(8, input_shape=(16, 16, 3)))
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    mixed = resnet(8, input_shape=(16, 16, 3))
    assert layers_of(mixed, layers.Conv2D)[0].compute_dtype == "float16"
    mixed.set_weights(model.get_weights())
    logits = mixed(images)
    assert logits.dtype == mixed.output.dtype == tf.float32
    expected = model(images).numpy()
    np.testing.assert_allclose(logits, expected, atol=0.02 * np.abs(expected).max())
    assert np.max(np.abs(logits - expected)) > 0


def test_takes_grey_levels_of_any_type():
    model, images = resnet(8, input_shape=(16, 16, 3)), random_images(4, 16, 16, 3)
    np.testing.assert_array_equal(model(images.astype(np.uint8)), model(images))


def test_conv_kernels_are_drawn_from_the_papers_normal():
    for layer in layers_of(resnet(8, input_shape=(8, 8, 3), width=2.0), layers.Conv2D):
        (kernel,) = layer.get_weights()
        deviation = np.sqrt(2 / (9 * kernel.shape[-1]))
        assert not layer.use_bias
        # Four standard errors.
        assert abs(kernel.std() / deviation - 1) < 4 / np.sqrt(2 * kernel.size)
        assert abs(kernel.mean()) < 4 * deviation / np.sqrt(kernel.size)
        # 0.3% of a normal's draws lie beyond three deviations, none of a truncated one's.
        assert kernel.size < 5000 or np.mean(np.abs(kernel) > 3 * deviation) > 1e-3


def test_dense_kernel_is_drawn_uniformly():
    (dense,) = layers_of(resnet(8, num_classes=100, input_shape=(8, 8, 3)), layers.Dense)
    kernel, bias = dense.get_weights()
    limit = np.sqrt(3 / 64)
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(kernel.std(), limit / np.sqrt(3), rtol=0.03)
    np.testing.assert_array_equal(bias, 0)


def test_batch_norms_have_the_papers_constants():
    for layer in layers_of(resnet(8), layers.BatchNormalization):
        assert (layer.momentum, layer.epsilon) == (0.9, 1e-3)
        assert layer.scale and layer.center


def test_loads_without_this_package(tmp_path):
    model = randomize(resnet(14, input_shape=(16, 16, 3), width=0.5))
    assert all(type(layer).__module__.split(".")[0] == "keras" for layer in model.layers)
    assert "spatial_keras" not in model.to_json()
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    images = random_images(4, 16, 16, 3)
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"depth": 33}, ValueError, r"depth must be 6n \+ 2 .*, got 33; nearest 32\."),
        ({"depth": 9}, ValueError, r"depth must be 6n \+ 2 .*, got 9; nearest 8\."),
        ({"depth": 2}, ValueError, "depth must be at least 8, got 2"),
        ({"depth": 8.0}, TypeError, "depth must be an integer, got 8.0"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"width": 0.01}, ValueError, "width must be at least 0.0625, got 0.01"),
        ({"width": "wide"}, TypeError, "width must be a number, got 'wide'"),
    ],
)
def test_refuses_bad_options(options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        resnet(**options)


@pytest.mark.parametrize("name, hint", [("resnt32", "resnet32"), ("resnet", "resnet8"), ("", None)])
def test_get_refuses_unknown_names(name, hint):
    hint = rf": did you mean '{hint}'\?" if hint else r"\."
    with pytest.raises(ValueError, match=f"^unknown model '{name}'{hint} Allowed: resnet8, "):
        models.get(name)


def test_get_refuses_a_depth_that_does_not_exist():
    with pytest.raises(ValueError, match="got 33; nearest 32"):
        models.get("resnet33")
