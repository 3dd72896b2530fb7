"""What holds for the networks with layers of our own that the method is compared with."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import GradientSearch, TransformationSet, models
from spatial_keras.training import defenses, losses
from tests.models.networks import random_images

layers = tf.keras.layers

NETWORKS = {
    "stn_rigid": ("stn_resnet8", {}),
    "stn_affine6": ("stn_resnet8", {"mode": "affine6"}),
    "etn": ("etn_resnet8", {}),
    "etn_scale": ("etn_resnet8", {"transformers": ("rotation_scale",), "equivariant": True}),
    "etn_direct": ("etn_resnet8", {"equivariant": False}),
}
SHAPE = (12, 11, 2)


def build(network, shape=SHAPE, drawn=True):
    """A narrow network; its poses are drawn where they would begin at 0."""
    name, options = NETWORKS[network]
    model = models.get(name, num_classes=4, input_shape=shape, width=1 / 8, **options)
    rng = np.random.default_rng(3)
    for layer in model.layers:
        weights = layer.get_weights()
        if drawn and weights and not np.any(weights[0]) and weights[0].ndim:
            fan_in = np.prod(weights[0].shape[:-1])
            kernel = rng.normal(0, 1 / np.sqrt(fan_in), weights[0].shape)
            layer.set_weights([kernel, *weights[1:]])
    return model


every_network = pytest.mark.parametrize("network", NETWORKS)
the_defaults = pytest.mark.parametrize("network", ["stn_rigid", "etn"])


@pytest.mark.parametrize(
    "network, policy",
    [*((network, "float32") for network in NETWORKS), ("etn", "mixed_float16")],
)
def test_survives_saving(network, policy, tmp_path):
    tf.keras.mixed_precision.set_global_policy(policy)
    model, images = build(network), random_images(4, *SHAPE)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)
    # Other poses would give other logits.
    assert np.any(np.abs(build(network, drawn=False)(images) - model(images)) > 1e-3)


@every_network
@pytest.mark.parametrize("shape", [(28, 28, 1), (13, 9, 3)])
def test_takes_any_batch_and_size(network, shape):
    model, images = build(network, shape), random_images(3, *shape)
    assert model.input_shape == (None, *shape)
    logits = model(images)
    assert logits.shape == (3, 4)
    np.testing.assert_allclose(model(images[:1])[0], logits[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(model(images.astype(np.uint8)), logits)


@every_network
def test_mixed_precision_gives_float32_logits_of_float32_poses(network):
    model, images = build(network), random_images(4, *SHAPE)
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    mixed = build(network)
    mixed.set_weights(model.get_weights())
    assert mixed(images).dtype == mixed.output.dtype == tf.float32
    exact = [layer for layer in mixed.layers if layer.name.endswith(("pose", "transform", "ed"))]
    exact += [layer for layer in mixed.layers if layer.name.endswith("heat_map")]
    assert len(exact) >= 3 and all(layer.output.dtype == tf.float32 for layer in exact)
    assert {layer.compute_dtype for layer in mixed.layers if isinstance(layer, layers.Conv2D)} == {
        "float16"
    }


@the_defaults
def test_equals_itself_under_xla(network):
    model, images = build(network), tf.constant(random_images(4, *SHAPE))

    def values(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = model(images, training=True)
            loss = tf.reduce_mean(logits**2)
        return logits, *tape.gradient(loss, [images, *model.trainable_variables])

    eager = [value.numpy() for value in values(images)]
    compiled = tf.function(values, jit_compile=True)(images)
    assert len(compiled) == len(eager) == 2 + len(model.trainable_variables)
    for value, twin in zip(eager, compiled):
        np.testing.assert_allclose(twin, value, rtol=1e-2, atol=1e-2 * np.abs(value).max() + 1e-6)
    assert np.any(eager[1])


def in_float64(model):
    twin = tf.keras.models.model_from_json(model.to_json().replace("float32", "float64"))
    twin.set_weights(model.get_weights())
    assert twin.output.dtype == tf.float64
    return twin


@every_network
def test_the_gradient_in_the_image_is_the_slope_of_the_loss(network):
    model, images = in_float64(build(network)), tf.constant(random_images(1, *SHAPE), tf.float64)

    def loss(images):
        return tf.reduce_sum(model(images) * [[1.0, -2.0, 3.0, -4.0]])

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = loss(images)
    gradient = tape.gradient(value, images)
    slope = tf.norm(gradient)
    step = 1e-6 * gradient / slope
    measured = (loss(images + step) - loss(images - step)) / 2e-6
    np.testing.assert_allclose(measured, slope, rtol=1e-4)


@the_defaults
def test_a_gradient_search_moves_the_images(network):
    model, images = build(network), random_images(6, *SHAPE)
    labels = tf.argmax(model(images), axis=1, output_type=tf.int32)
    search = GradientSearch(1, TransformationSet(2, 2, 30), start="zero")
    objective = losses.get_objective("ce")
    found = search(model, tf.constant(images), labels, objective, tf.constant([0, 1]))
    # One signed step in each coordinate, a quarter of its bound.
    np.testing.assert_allclose(np.abs(found), 6 * [[0.5, 0.5, 7.5]])


@pytest.mark.slow
@the_defaults
def test_trains_with_a_defense(network):
    robust = defenses.get("wo2_kl").build(
        build(network, drawn=False), TransformationSet(1, 1, 30), weight_decay=2e-4
    )
    optimizer = tf.keras.optimizers.SGD(0.01, momentum=0.9)
    robust.compile(optimizer=optimizer, jit_compile=False)
    before = [value.copy() for value in robust.classifier.get_weights()]
    data = tf.data.Dataset.from_tensors((random_images(4, *SHAPE), np.arange(4))).repeat(2)
    history = robust.fit(data, shuffle=False, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))
    after = robust.classifier.get_weights()
    assert all(np.all(np.isfinite(value)) for value in after)
    moved = [np.any(value != old) for value, old in zip(after, before)]
    assert np.mean(moved) > 0.9
