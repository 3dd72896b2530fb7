"""What holds for the networks of every family."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from tests.models.networks import layers_of, random_images, randomize
from tests.pairwise import pairwise

layers = tf.keras.layers
SHAPE = (20, 17, 3)


def small(name, **options):
    """A narrow network for small images."""
    return models.get(name, **{"input_shape": SHAPE, "width": 1 / 8, **options})


def loss_of(model, images, training):
    return tf.reduce_mean(model(images, training=training) ** 2)


every_family = pytest.mark.parametrize("name", ["resnet8", "vgg11", "airbench"])
# Airbench's first convolution is not drawn, and without BatchNorm.
drawn_family = pytest.mark.parametrize("name", ["resnet8", "vgg11"])


@pairwise(
    name=["resnet8", "vgg11", "airbench"],
    size=[(32, 32, 3), (28, 28, 1), (17, 21, 4)],
    policy=["float32", "mixed_float16"],
)
def test_standardizes_each_image(name, size, policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    model = small(name, input_shape=size)
    standardize = tf.keras.Model(model.inputs[0], model.get_layer("standardize").output)
    images = random_images(5, *size)
    images[1] = 200 + images[1] % 20
    images[2], images[3], images[4] = 0, 7, 255
    standardized = standardize(images)
    assert standardized.dtype == tf.float32
    expected = tf.image.per_image_standardization(images).numpy()
    np.testing.assert_allclose(standardized[:2], expected[:2], atol=1e-4, rtol=0)
    np.testing.assert_allclose(standardized[2:], expected[2:], atol=1e-3, rtol=0)


@every_family
def test_mixed_precision_gives_float32_logits(name):
    images, model = random_images(4, *SHAPE), randomize(small(name))
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    mixed = small(name)
    assert layers_of(mixed, layers.Conv2D)[0].compute_dtype == "float16"
    mixed.set_weights(model.get_weights())
    logits = mixed(images)
    assert logits.dtype == mixed.output.dtype == tf.float32
    expected = model(images).numpy()
    np.testing.assert_allclose(logits, expected, atol=0.02 * np.abs(expected).max())
    assert np.max(np.abs(logits - expected)) > 0


@every_family
def test_takes_grey_levels_of_any_type(name):
    model, images = small(name), random_images(4, *SHAPE)
    np.testing.assert_array_equal(model(images.astype(np.uint8)), model(images))


@every_family
def test_gradients_reach_all_weights_under_xla_too(name):
    model, images = randomize(small(name)), random_images(6, *SHAPE)

    def gradients(images):
        with tf.GradientTape() as tape:
            loss = loss_of(model, images, training=True)
        return tape.gradient(loss, model.trainable_variables)

    eager = [gradient.numpy() for gradient in gradients(images)]
    compiled = tf.function(gradients, jit_compile=True)(tf.constant(images))
    assert len(eager) == len(compiled) == len(model.trainable_variables)
    for gradient, twin in zip(eager, compiled):
        assert np.any(gradient)
        np.testing.assert_allclose(twin, gradient, rtol=1e-2, atol=1e-2 * np.abs(gradient).max())


@every_family
def test_learns_in_a_compiled_step(name):
    model, images = small(name, num_classes=2), random_images(8, *SHAPE)
    images[::2] = 255 - np.sort(images[::2], axis=1)
    images[1::2] = np.sort(images[1::2], axis=1)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=True)
    history = model.fit(images, np.arange(8) % 2, batch_size=8, epochs=20, verbose=0).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]


@drawn_family
def test_conv_kernels_are_drawn_from_the_papers_normal(name):
    for layer in layers_of(small(name, width=1.0), layers.Conv2D):
        (kernel,) = layer.get_weights()
        deviation = np.sqrt(2 / (9 * kernel.shape[-1]))
        assert not layer.use_bias
        # Four standard errors.
        assert abs(kernel.std() / deviation - 1) < 4 / np.sqrt(2 * kernel.size)
        assert abs(kernel.mean()) < 4 * deviation / np.sqrt(kernel.size)
        # 0.3% of a normal's draws lie beyond three deviations, none of a truncated one's.
        assert kernel.size < 5000 or np.mean(np.abs(kernel) > 3 * deviation) > 1e-3


@every_family
def test_dense_kernel_is_drawn_uniformly(name):
    (dense,) = layers_of(small(name, num_classes=500), layers.Dense)
    kernel, bias = dense.get_weights()
    limit = np.sqrt(3 / kernel.shape[0])
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(kernel.std(), limit / np.sqrt(3), rtol=0.03)
    np.testing.assert_array_equal(bias, 0)


@drawn_family
def test_batch_norms_have_the_papers_constants(name):
    norms = layers_of(small(name), layers.BatchNormalization)
    assert len(norms) == len(layers_of(small(name), layers.Conv2D))
    for layer in norms:
        assert (layer.momentum, layer.epsilon) == (0.9, 1e-3)
        assert layer.scale and layer.center


@every_family
def test_loads_without_this_package(name, tmp_path):
    model = randomize(small(name))
    assert all(type(layer).__module__.split(".")[0] == "keras" for layer in model.layers)
    assert "spatial_keras" not in model.to_json()
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    images = random_images(4, *SHAPE)
    np.testing.assert_array_equal(loaded(images), model(images))
