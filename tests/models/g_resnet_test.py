from __future__ import annotations

import functools

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from spatial_keras import GradientSearch, RobustModel, TransformationSet, models
from spatial_keras.models.g_resnet import DOWNSAMPLINGS, g_resnet
from spatial_keras.models.group_conv import GroupConv2D
from spatial_keras.training import losses
from tests.models import networks, symmetries
from tests.models.networks import counted, layers_of, random_images, randomize
from tests.models.symmetries import transform_features, transform_images

layers = tf.keras.layers
SLOTS = {"p4": 4, "p4m": 8}

exact = pytest.mark.parametrize(
    "group, size, downsample",
    [("p4m", 16, "pool"), ("p4m", 16, "conv_maxpool"), ("p4m", 17, "stride"), ("p4", 16, "pool")],
)


def small(depth=8, size=16, **options):
    """A narrow network for small images, with random weights."""
    policy = tf.keras.mixed_precision.global_policy().name
    return randomize(built(policy, depth, input_shape=(size, size, 3), width=0.25, **options))


@functools.cache
def built(policy, depth, **options):
    """Building takes longer than what most tests do with the network."""
    return g_resnet(depth, **options)


def deviation(logits, others):
    """The largest difference, relative to the largest logit."""
    return np.max(np.abs(np.asarray(logits) - others)) / np.max(np.abs(logits))


def change(model, images, group="p4m"):
    """The most that the logits change under a transformation of the group."""
    moved = np.concatenate([transform_images(images, g) for g in range(SLOTS[group])])
    return deviation(np.tile(model(images), [SLOTS[group], 1]), model(moved))


def trained(model, images, steps=20):
    labels = np.arange(len(images)) % model.output_shape[1]
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    history = model.fit(images, labels, batch_size=len(images), epochs=steps, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    return model


# The structure.


class NumpyGResNet(networks.NumpyNetwork):
    """The network in float64 NumPy, written from its description, with a model's weights."""

    def __init__(self, model):
        kernels = [[w.astype(np.float64) for w in layer.get_weights()]
                   for layer in layers_of(model, GroupConv2D)]  # fmt: skip
        super().__init__(model)
        self.convs = iter([one for one in kernels if len(one[0]) == 3])
        self.shortcuts = iter([one for one in kernels if len(one[0]) == 1])

    def norm(self, x):
        gamma, beta, mean, variance = next(self.norms)
        return np.maximum(gamma * (x - mean) / np.sqrt(variance + 2e-5) + beta, 0)

    def conv(self, x, weights, downsample=None):
        if downsample == "pool":
            x = networks.pool(x, 2, np.mean)
        x = symmetries.group_conv(x, *weights, self.slots, 2 if downsample == "stride" else 1)
        return networks.pool(x, 2, np.max) if downsample == "conv_maxpool" else x

    def __call__(self, images, number, group, head, downsample):
        self.slots = SLOTS[group]
        x = self.conv(self.standardize(images), next(self.convs))
        for stage in range(3):
            for block in range(number):
                halving = downsample if stage > 0 and block == 0 else None
                branch = self.conv(self.norm(x), next(self.convs), halving)
                branch = self.conv(self.norm(branch), next(self.convs))
                x = branch + (self.conv(x, next(self.shortcuts), halving) if halving else x)
        x = self.norm(x)
        assert next(self.shortcuts, None) is None
        if head == "group_mean":
            return self.classify(x.mean(axis=3))
        return self.classify(x.reshape(*x.shape[:3], -1))


@pytest.mark.parametrize(
    "depth, group, head, downsample, size",
    [
        (8, "p4m", "group_mean", "pool", (8, 8, 3)),
        (14, "p4", "group_mean", "pool", (4, 4, 2)),
        (8, "p4m", "flat", "conv_maxpool", (8, 12, 1)),
        (8, "p4m", "group_mean", "stride", (8, 9, 2)),
    ],
)
def test_equals_a_numpy_network(depth, group, head, downsample, size):
    options = {"group": group, "head": head, "downsample": downsample}
    model = randomize(g_resnet(depth, 4, size, 0.25, **options))
    images = random_images(3, *size)
    expected = NumpyGResNet(model)(images.astype(np.float64), (depth - 2) // 6, **options)
    logits = model(images, training=False)
    assert logits.shape == (3, 4)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def count(depth, widths, slots=8, head="group_mean"):
    """The trainable numbers, by formula; one slot makes an ordinary network."""
    number = (depth - 2) // 6
    narrow, middle, wide = widths
    weights = 9 * 3 * narrow + slots * (
        9 * 2 * number * narrow**2
        + (9 + 1) * narrow * middle + 9 * (2 * number - 1) * middle**2
        + (9 + 1) * middle * wide + 9 * (2 * number - 1) * wide**2
    )  # fmt: skip
    biases = (2 * number + 1) * narrow + (2 * number + 1) * (middle + wide)
    # One norm before each 3x3 convolution but the first, of its input; and one before the pooling.
    norms = 2 * ((2 * number + 1) * narrow + 2 * number * (middle + wide))
    return weights + biases + norms + (wide * (slots if head == "flat" else 1) + 1) * 10


@functools.cache
def g_resnet44():
    return models.get("g_resnet44")


def test_the_published_numbers_of_parameters():
    assert count(44, (11, 23, 45), head="flat") == 2_622_878
    assert count(44, (32, 64, 128), slots=1) == 2_639_434
    model = g_resnet44()
    assert model.name == "g_resnet44"
    assert counted(model)[0] == count(44, (11, 23, 45)) == 2_619_728
    biases = [w for layer in layers_of(model, GroupConv2D) for w in layer.get_weights()[1:]]
    assert sum(map(len, biases)) + 10 == 1_195


def test_g_resnet26_has_its_own_widths():
    model = models.get("g_resnet26", head="flat")
    assert counted(model)[0] == count(26, (25, 50, 100), head="flat") == 7_173_110


@pytest.mark.parametrize("group, head", [("p4m", "flat"), ("p4", "group_mean")])
def test_number_of_parameters(group, head):
    model = models.get("g_resnet14", group=group, head=head, width=0.25)
    assert counted(model)[0] == count(14, (3, 6, 11), SLOTS[group], head)


# The symmetries.


@exact
@pytest.mark.parametrize("training", [False, True])
def test_the_features_of_every_block_are_equivariant(group, size, downsample, training):
    model = small(8, size, group=group, downsample=downsample)
    sums = layers_of(model, layers.Add)
    outputs = [layer.output for layer in [*sums, model.get_layer("features")]]
    model = tf.keras.Model(model.inputs[0], outputs)
    images, weights = random_images(2, size, size, 3), model.get_weights()
    expected = [features.numpy() for features in model(images, training=training)]
    assert len(expected) == 4
    for g in range(SLOTS[group]):
        model.set_weights(weights)
        moved = model(transform_images(images, g), training=training)
        for features, before in zip(moved, expected):
            assert deviation(transform_features(before, g), features) < 1e-5
    # Were the group pooled early, the slots would be equal.
    assert expected[-1].std(axis=3).max() > 0.01 * expected[-1].max()


@exact
def test_the_logits_are_invariant(group, size, downsample):
    model = small(size=size, group=group, downsample=downsample)
    images = random_images(2, size, size, 3)
    assert change(model, images, group) < 1e-5
    assert deviation(*model(images)) > 1e-3


@pytest.mark.parametrize(
    "downsample", ["pool", pytest.param("conv_maxpool", marks=pytest.mark.slow)]
)
def test_the_logits_are_invariant_after_training(downsample):
    model, images = small(downsample=downsample), random_images(4, 16, 16, 3)
    before = model(images).numpy()
    assert change(trained(model, images), images) < 1e-5
    assert deviation(before, model(images)) > 0.01


def test_the_logits_are_invariant_at_full_depth():
    model, images = randomize(g_resnet44()), random_images(1, 32, 32, 3)
    assert change(model, images) < 1e-5


def test_transformations_compose():
    model = small()
    model = tf.keras.Model(model.inputs[0], model.get_layer("features").output)
    images = random_images(1, 16, 16, 3)
    features = model(images).numpy()
    for g, h in np.ndindex(8, 8):
        product = symmetries.slot_of(symmetries.matrix(g) @ symmetries.matrix(h))
        twice = transform_features(transform_features(features, h), g)
        np.testing.assert_array_equal(twice, transform_features(features, product))
    for g, h in [(1, 4), (4, 1), (5, 3), (2, 7)]:
        twice = transform_images(transform_images(images, h), g)
        product = symmetries.slot_of(symmetries.matrix(g) @ symmetries.matrix(h))
        assert deviation(transform_features(features, product), model(twice)) < 1e-5


@pytest.mark.parametrize(
    "size, options",
    [(16, {"head": "flat"}), (32, {"downsample": "stride"}), (18, {}), (16, {"group": "p4"})],
    ids=["flat", "stride", "size", "mirrored"],
)
def test_what_must_not_be_invariant(size, options):
    model, images = small(size=size, **options), random_images(2, size, size, 3)
    assert change(model, images) > 1e-3


def test_other_angles_are_not_built_in():
    model, images = small(), random_images(2, 16, 16, 3)
    turned = scipy.ndimage.rotate(images, 30, axes=(2, 1), reshape=False, order=1)
    assert deviation(model(images), model(turned)) > 1e-3


def test_the_images_gradient_is_equivariant():
    model, images = small(), random_images(2, 16, 16, 3)
    moved = tf.constant(np.concatenate([transform_images(images, g) for g in range(8)]))
    with tf.GradientTape() as tape:
        tape.watch(moved)
        loss = tf.reduce_sum(model(moved)[:, 0])
    gradients = np.split(tape.gradient(loss, moved), 8)
    for g in range(8):
        assert deviation(transform_images(gradients[0], g), gradients[g]) < 1e-4


# A network among others.


@pytest.mark.parametrize("size", [(28, 28, 1), (33, 33, 3), (4, 5, 2)])
def test_takes_images_of_any_size_one_by_one(size):
    model = randomize(models.get("g_resnet8", input_shape=size, width=0.1))
    images = random_images(3, *size)
    one_by_one = [model(images[i : i + 1]) for i in range(3)]
    assert deviation(model(images.astype(np.uint8)), np.concatenate(one_by_one)) < 1e-5


@pytest.mark.parametrize(
    "downsample", ["pool", *(pytest.param(d, marks=pytest.mark.slow) for d in DOWNSAMPLINGS[1:])]
)
def test_gradients_reach_all_weights_under_xla_too(downsample):
    model, images = small(downsample=downsample), random_images(4, 16, 16, 3)

    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_mean(model(images, training=False) ** 2)
        return tape.gradient(loss, [images, *model.trainable_variables])

    eager = [gradient.numpy() for gradient in gradients(tf.constant(images))]
    for gradient, twin in zip(eager, tf.function(gradients, jit_compile=True)(images)):
        assert np.any(gradient)
        np.testing.assert_allclose(twin, gradient, rtol=0, atol=1e-4 * np.abs(gradient).max())


def test_mixed_precision_gives_float32_logits():
    images, model = random_images(4, 16, 16, 3), small()
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    mixed = small()
    assert layers_of(mixed, GroupConv2D)[0].compute_dtype == "float16"
    mixed.set_weights(model.get_weights())
    logits = mixed(images)
    assert logits.dtype == mixed.output.dtype == tf.float32
    assert 0 < deviation(model(images), logits) < 0.02


def test_survives_saving(tmp_path):
    model, images = small(group="p4", head="flat", downsample="stride"), random_images(4, 16, 16, 3)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert deviation(model(images), loaded(images)) <= 1e-6


def test_weight_decay_is_on_kernels_only():
    model, images, labels = small(), random_images(2, 16, 16, 3), np.array([0, 1])
    values = []
    for weight_decay in (0.0, 1.0):
        robust = RobustModel(model, cross_entropy="natural", weight_decay=weight_decay)
        robust.compile(run_eagerly=True, jit_compile=False)
        values.append(robust.evaluate(images, labels, verbose=0, return_dict=True)["loss"])
    kernels = [layer.get_weights()[0] for kind in (GroupConv2D, layers.Dense)
               for layer in layers_of(model, kind)]  # fmt: skip
    expected = sum(np.sum(kernel**2) / 2 for kernel in kernels)
    np.testing.assert_allclose(values[1] - values[0], expected, rtol=1e-4)


def test_the_gradient_search_goes_through_it():
    model, images, labels = small(), random_images(8, 16, 16, 3), tf.range(8)
    search = GradientSearch(4, TransformationSet(2, 2, 30))
    objective = losses.get_objective("ce")
    found = search(model, tf.constant(images), labels, objective, tf.constant([0, 1]))
    values = [
        losses.cross_entropy(labels, model(search.warp(images, t))) for t in (0 * found, found)
    ]
    assert np.mean(values[1]) > np.mean(values[0])


def test_refuses_bad_options():
    for options, error, message in [
        ({"depth": 33}, ValueError, r"depth must be 6n \+ 2 .*, got 33; nearest 32\."),
        ({"depth": 2}, ValueError, r"depth must be in \[8, 1202\], got 2"),
        ({"depth": "44"}, TypeError, "depth must be an integer, got '44'"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"width": 0.01}, ValueError, "width must be at least 0.0625, got 0.01"),
        ({"group": "p8"}, ValueError, r"unknown group 'p8': .* Allowed: p4, p4m\.$"),
        ({"head": "mean"}, ValueError, "unknown head 'mean': .* Allowed: group_mean, flat"),
        ({"downsample": "max"}, ValueError, "unknown downsampling 'max'.* Allowed: pool, conv_max"),
        ({"input_shape": (3, 8, 1)}, ValueError, "g_resnet44 .* at least 4x4, got 3x8"),
    ]:
        with pytest.raises(error, match=f"^{message}") as raised:
            g_resnet(**options)
        assert "\n" not in str(raised.value)


def test_get_knows_the_nearest_name():
    with pytest.raises(
        ValueError, match=r"^unknown model 'gresnet44': did you mean 'g_resnet44'\?"
    ):
        models.get("gresnet44")
