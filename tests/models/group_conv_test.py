from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.models import group_conv
from spatial_keras.models.group_conv import GroupConv2D
from tests.models import symmetries
from tests.models.symmetries import transform_features, transform_images
from tests.pairwise import pairwise

layers = tf.keras.layers
SLOTS = {"p4": 4, "p4m": 8}

every_group = pytest.mark.parametrize("group", SLOTS)
BOTH = {"group": list(SLOTS), "lifting": [True, False]}
lifting_or_not = pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "group"])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def inputs_of(group, lifting, size=6, channels=2, batch=2):
    return normal(batch, size, size, *([] if lifting else [SLOTS[group]]), channels)


def built(layer, inputs):
    """Builds a layer for these inputs, with a random kernel and bias."""
    layer.build(inputs.shape)
    layer.set_weights([normal(*w.shape, seed=i + 1) for i, w in enumerate(layer.get_weights())])
    return layer


def assert_close(actual, expected, tolerance=1e-5):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


# The group.


def test_slots_are_relative_as_published():
    np.testing.assert_array_equal(group_conv.relative_slots("p4m"), symmetries.GOLDEN)
    p4 = group_conv.relative_slots("p4")
    np.testing.assert_array_equal(p4, (np.arange(4) - np.arange(4)[:, None]) % 4)
    expected = [[symmetries.relative(s, t) for t in range(8)] for s in range(8)]
    np.testing.assert_array_equal(expected, symmetries.GOLDEN)


def test_arrays_are_turned_counter_clockwise_then_flipped():
    array = np.array([list(row) for row in ("abc", "def", "ghi")])
    texts = ["".join(group_conv.transform(array, slot).ravel()) for slot in range(8)]
    assert texts == [
        "abcdefghi", "cfibehadg", "ihgfedcba", "gdahebifc",
        "ghidefabc", "adgbehcfi", "cbafedihg", "ifchebgda",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_arrays_are_transformed_as_the_matrices_say(size):
    array, middle = np.arange(size * size * 2).reshape(size, size, 2), (size - 1) / 2
    for slot in range(8):
        transformed = group_conv.transform(array, slot)
        for point in np.ndindex(size, size):
            source = symmetries.matrix(slot).T @ (np.array(point) - middle) + middle
            np.testing.assert_array_equal(transformed[point], array[tuple(source.astype(int))])


# The layer.


@pairwise(
    **BOTH, kernel_size=[1, 3, 5], **{"size, stride": [(5, 1), (8, 1), (5, 2), (8, 2), (8, 3)]}
)
def test_equals_the_sum_over_the_group(group, lifting, kernel_size, size, stride):
    inputs = inputs_of(group, lifting, size)
    layer = built(GroupConv2D(3, kernel_size, group, stride), inputs)
    expected = symmetries.group_conv(inputs, *layer.get_weights(), SLOTS[group], stride)
    output = layer(inputs.astype(np.float32))
    assert output.shape == expected.shape == layer.compute_output_shape(inputs.shape)
    assert_close(output, expected)


def test_takes_images_that_are_not_square():
    inputs = normal(1, 4, 7, 8, 2)
    layer = built(GroupConv2D(3), inputs)
    assert_close(layer(inputs), symmetries.group_conv(inputs, *layer.get_weights(), 8))


@pairwise(**BOTH, **{"kernel_size, stride, size": [(1, 1, 6), (3, 1, 6), (5, 1, 5), (3, 2, 7)]})
def test_is_equivariant(group, lifting, kernel_size, stride, size):
    inputs = inputs_of(group, lifting, size)
    layer = built(GroupConv2D(3, kernel_size, group, stride), inputs)
    output = layer(inputs).numpy()
    move = transform_images if lifting else transform_features
    for g in range(SLOTS[group]):
        assert_close(layer(move(inputs, g)), transform_features(output, g))


@pytest.mark.parametrize("stride", [1, 2])
def test_an_even_size_is_equivariant_without_a_stride_only(stride):
    images = inputs_of("p4m", True, 8)
    layer = built(GroupConv2D(3, stride=stride), images)
    turned = transform_features(layer(images).numpy(), 1)
    deviation = np.abs(layer(transform_images(images, 1)) - turned).max() / np.abs(turned).max()
    assert deviation < 1e-5 if stride == 1 else deviation > 0.1


@every_group
@pytest.mark.parametrize("training", [False, True])
def test_a_stack_with_batch_norm_and_pooling_is_equivariant(group, training):
    inputs = tf.keras.Input([8, 8, 2])
    x = layers.BatchNormalization()(GroupConv2D(3, group=group)(inputs))
    x = layers.BatchNormalization()(GroupConv2D(4, group=group)(layers.ReLU()(x)))
    x = layers.MaxPooling2D(2)(layers.Reshape([8, 8, SLOTS[group] * 4])(layers.ReLU()(x)))
    x = GroupConv2D(5, group=group)(layers.Reshape([4, 4, SLOTS[group], 4])(x))
    model = tf.keras.Model(inputs, [x, layers.GlobalAveragePooling3D()(x)])
    model.set_weights([np.abs(normal(*w.shape, seed=i)) + 0.1 * i for i, w in
                       enumerate(model.get_weights())])  # fmt: skip
    images, weights = normal(3, 8, 8, 2), model.get_weights()
    features, pooled = (output.numpy() for output in model(images, training=training))
    for g in range(SLOTS[group]):
        model.set_weights(weights)
        moved, pooled_too = model(transform_images(images, g), training=training)
        assert_close(moved, transform_features(features, g))
        assert_close(pooled_too, pooled)
    # The pooled features are those of all orientations, which differ.
    assert features.mean(axis=(1, 2)).std(axis=1).min() > 0


def test_batch_norm_shares_its_statistics_over_the_slots():
    features = normal(4, 6, 6, 8, 3) * np.arange(1, 9)[:, None] + np.arange(8)[:, None]
    norm = layers.BatchNormalization(momentum=0, epsilon=2e-5)
    output = norm(features.astype(np.float32), training=True)
    axes = (0, 1, 2, 3)
    expected = (features - features.mean(axes)) / np.sqrt(features.var(axes) + 2e-5)
    assert_close(output, expected, 1e-4)
    assert [w.shape for w in norm.get_weights()] == [(3,)] * 4
    np.testing.assert_allclose(norm.get_weights()[2], features.mean(axes), rtol=1e-4)
    # Keras 2.15 keeps the unbiased variance.
    np.testing.assert_allclose(norm.get_weights()[3], features.var(axes), rtol=3e-3)


@lifting_or_not
def test_the_variables_are_one_filter_and_one_bias_for_all_slots(lifting):
    layer = GroupConv2D(7, 5)
    layer.build((None, 9, 9, *([] if lifting else [8]), 6))
    shapes = [tuple(w.shape) for w in layer.weights]
    assert shapes == [(5, 5, *([] if lifting else [8]), 6, 7), (7,)]
    assert [w.name.split("/")[-1].split(":")[0] for w in layer.weights] == ["kernel", "bias"]
    assert len(layer.trainable_weights) == 2


@lifting_or_not
def test_the_kernel_is_drawn_for_the_fan_in_of_the_group(lifting):
    layer = GroupConv2D(50)
    layer.build((None, 9, 9, *([] if lifting else [8]), 40))
    kernel, bias = layer.get_weights()
    deviation = np.sqrt(2 / (9 * 40 * (1 if lifting else 8)))
    # Four standard errors.
    assert abs(kernel.std() / deviation - 1) < 4 / np.sqrt(2 * kernel.size)
    assert np.mean(np.abs(kernel) > 3 * deviation) > 1e-3  # none of a truncated normal's
    np.testing.assert_array_equal(bias, 0)


# Gradients.


def gradients(layer, inputs, weights):
    """Of a weighted sum of the output's squares, to the input, the kernel and the bias."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(weights * layer(inputs) ** 2)
    return tape.gradient(loss, [inputs, *layer.trainable_weights])


@pairwise(**BOTH, stride=[1, 2])
def test_gradients_equal_finite_differences(group, lifting, stride):
    inputs = inputs_of(group, lifting, 5, batch=1)
    layer = built(GroupConv2D(2, 3, group, stride, dtype="float64"), inputs)
    weights = normal(*layer.compute_output_shape(inputs.shape), seed=5)
    arrays = [inputs, *layer.get_weights()]

    def loss(arrays):
        layer.set_weights(arrays[1:])
        return float(tf.reduce_sum(weights * layer(arrays[0]) ** 2))

    rng = np.random.default_rng(6)
    found = gradients(layer, tf.constant(inputs), weights)
    for i, gradient in enumerate(found):
        for _ in range(3):
            step = rng.normal(size=arrays[i].shape)
            sides = [[*arrays[:i], arrays[i] + h * step, *arrays[i + 1 :]] for h in (1e-5, -1e-5)]
            slope = (loss(sides[0]) - loss(sides[1])) / 2e-5
            np.testing.assert_allclose(np.sum(gradient * step), slope, rtol=1e-6, atol=1e-5)


@every_group
@lifting_or_not
def test_the_inputs_gradient_is_equivariant(group, lifting):
    inputs = inputs_of(group, lifting).astype(np.float32)
    layer = built(GroupConv2D(3, 3, group), inputs)
    weights = normal(2, 6, 6, SLOTS[group], 3).astype(np.float32)
    gradient = gradients(layer, tf.constant(inputs), weights)[0].numpy()
    move = transform_images if lifting else transform_features
    for g in range(SLOTS[group]):
        moved = tf.constant(move(inputs, g))
        assert_close(gradients(layer, moved, transform_features(weights, g))[0], move(gradient, g))


@pairwise(**BOTH, stride=[1, 2])
def test_compiles_with_xla_for_any_batch(group, lifting, stride):
    inputs = inputs_of(group, lifting).astype(np.float32)
    layer = built(GroupConv2D(3, 3, group, stride), inputs)
    weights = normal(*layer.compute_output_shape(inputs.shape)[1:]).astype(np.float32)
    eager = gradients(layer, tf.constant(inputs), weights)
    spec = [tf.TensorSpec([None, *inputs.shape[1:]])]
    compiled = tf.function(lambda x: gradients(layer, x, weights), spec, jit_compile=True)
    for one, two in zip(compiled(tf.constant(inputs)), eager):
        assert_close(one, two)
    assert compiled(tf.constant(inputs[:1]))[0].shape == (1, *inputs.shape[1:])


def test_mixed_precision_computes_in_16_bits():
    inputs = inputs_of("p4m", False)
    layer = built(GroupConv2D(3), inputs)
    mixed = built(GroupConv2D(3, dtype="mixed_float16"), inputs)
    assert mixed.weights[0].dtype == "float32"
    output = mixed(inputs)
    assert output.dtype == tf.float16
    assert_close(output, layer(inputs), 0.01)


def test_refuses_bad_options():
    for options, error, message in [
        ({"channels": 0}, ValueError, "channels must be at least 1, got 0"),
        ({"channels": 2.0}, TypeError, "channels must be an integer, got 2.0"),
        ({"kernel_size": 2}, ValueError, r"kernel_size must be odd, got 2\."),
        ({"kernel_size": (3, 3)}, TypeError, r"kernel_size must be an integer, got \(3, 3\)"),
        ({"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ({"group": "p4n"}, ValueError, "unknown group 'p4n': .* Allowed: p4, p4m"),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            GroupConv2D(**{"channels": 3, **options})


def test_refuses_inputs_of_another_shape():
    for shape in [(2, 6, 3), (2, 6, 6, 4, 3), (2, None, 6, 3)]:
        with pytest.raises(
            ValueError, match=r"^a p4m convolution takes .* 8, channels\] .*, got \(2,"
        ):
            GroupConv2D(3).build(shape)
