from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models.etn import etn_resnet
from tests import oracles
from tests.models.networks import counted, part, random_images, randomize, smooth_images

layers = tf.keras.layers
SMALL = {"depth": 8, "input_shape": (16, 16, 3), "width": 1 / 8}


def heads(model):
    return [layer for layer in model.layers if isinstance(layer, layers.Conv1D)]


def set_poses(model, **biases):
    """Flattens all heat maps, and gives the canonical poses these biases, by layer names."""
    for head in heads(model):
        head.set_weights([0 * head.get_weights()[0]])
    for name, bias in biases.items():
        model.get_layer(name).set_weights([np.array(bias)])


@pytest.mark.parametrize(
    "transformers, trained",
    [
        (("translation",), 10_402),
        (("rotation",), 10_305),
        (("translation", "rotation"), 20_707),
        (("translation", "rotation_scale"), 20_804),
    ],
)
def test_number_of_parameters(transformers, trained):
    model = etn_resnet(8, transformers=transformers)
    resnet_trained, moving = counted(models.get("resnet8"))
    assert counted(model) == (resnet_trained + trained, moving + 128 * len(transformers))


@pytest.mark.parametrize("size", [(16, 16, 3), (28, 28, 1), (13, 18, 2)])
@pytest.mark.parametrize("equivariant", [True, False])
def test_zero_poses_reproduce_the_image(size, equivariant):
    model = etn_resnet(**{**SMALL, "input_shape": size}, equivariant=equivariant)
    set_poses(model)
    images = random_images(3, *size) / 255
    np.testing.assert_allclose(part(model, "transformed")(images), images, atol=1e-5)
    expected = model.get_layer("resnet8")(images)
    np.testing.assert_allclose(model(images), expected, atol=1e-4 * np.abs(expected).max())


def test_shifts_begin_at_zero_and_rotations_are_well_defined():
    model = etn_resnet(8, input_shape=(32, 32, 3))
    images = random_images(8, 32, 32, 3)
    np.testing.assert_allclose(part(model, "translation_pose")(images), np.zeros([8, 2]), atol=1e-4)
    heat_map = part(model, "rotation_angle_heat_map")(images).numpy()
    np.testing.assert_allclose(heat_map.sum(axis=1), 1, atol=1e-5)
    assert np.std(part(model, "rotation_pose")(images)) > 10


# The biases of three numbers, as poses; and what they move, in pixels, degrees and a factor.
def by_hand(model, height, width, x, y, degrees):
    half_ranges = {"translation_x": (width - 1) / 2, "translation_y": (height - 1) / 2,
                   "rotation_angle": 180}  # fmt: skip
    values = zip(half_ranges.items(), (x, y, degrees))
    set_poses(model, **{name: 10 * np.arctanh(value / half) for (name, half), value in values})


@pytest.mark.parametrize("pose", [(2.0, -1.0, 30.0), (-3.3, 0.7, -115.0), (0, 0, 90.0)])
def test_two_transformers_are_one_joint_warp_of_the_original(pose):
    model, images = etn_resnet(**{**SMALL, "input_shape": (15, 18, 3)}), random_images(3, 15, 18, 3)
    by_hand(model, 15, 18, *pose)
    np.testing.assert_allclose(part(model, "translation_pose")(images), 3 * [pose[:2]], atol=1e-4)
    np.testing.assert_allclose(part(model, "rotation_pose")(images), 3 * [pose[2:]], atol=1e-3)
    warped = part(model, "transformed")(images)
    # Undoing the shift and then the rotation is the opposite rotation, and a shift turned by it.
    angle = np.radians(pose[2])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    tx, ty = -turn @ pose[:2]
    expected = oracles.joint_warp(images, 3 * [[tx, ty, -pose[2]]])
    np.testing.assert_allclose(warped, expected, atol=0.02)
    # Two interpolations would blur.
    twice = oracles.joint_warp(images, 3 * [[-pose[0], -pose[1], 0]])
    twice = oracles.joint_warp(twice, 3 * [[0, 0, -pose[2]]])
    if pose[0] % 1:
        assert np.abs(twice - expected).max() > 10


def test_each_transformer_reads_the_original_image():
    model, images = etn_resnet(**SMALL), random_images(2, 16, 16, 3)
    by_hand(model, 16, 16, 3.0, -2.0, 30.0)
    coordinates = part(model, "rotation_coordinates")(images)
    radius, angle = 7.5 * np.sqrt(2) * np.arange(16) / 15, np.pi * (np.arange(32) + 0.5) / 16
    z = radius * np.exp(1j * (angle[:, None] - np.pi))
    expected = [oracles.bilinear(i, 7.5 + 3 + z.real, 7.5 - 2 - z.imag) for i in images]
    np.testing.assert_allclose(coordinates, expected, atol=0.01)


def test_a_scale_is_undone():
    model = etn_resnet(**SMALL, transformers=("rotation_scale",))
    set_poses(model, rotation_scale_log_scale=2.0)
    images = random_images(2, 16, 16, 3)
    pose = part(model, "rotation_scale_pose")(images).numpy()
    log_scale = np.log(10 * np.sqrt(2)) / 2 * np.tanh(0.2)
    np.testing.assert_allclose(pose, 2 * [[0, log_scale]], atol=1e-4)
    y, x = (np.mgrid[:16, :16] - 7.5) * np.exp(log_scale)
    expected = [oracles.bilinear(image, 7.5 + x, 7.5 + y) for image in images]
    np.testing.assert_allclose(part(model, "transformed")(images), expected, atol=0.01)


def pairs(parameters, side=32):
    """A red blob at the centre and a green one to its right, moved exactly by T's parameters."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    images = []
    for tx, ty, degrees in parameters:
        angle = np.radians(degrees)
        centers = [(tx, ty), (tx + 7 * np.cos(angle), ty - 7 * np.sin(angle))]
        blobs = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8) for cx, cy in centers]
        images.append(np.stack([*blobs, np.zeros_like(x)], axis=-1))
    return 255 * np.array(images, np.float32)


def test_a_chain_undoes_a_rotation_and_a_shift():
    model = etn_resnet(8, input_shape=(32, 32, 3), width=1 / 16)
    channels = {"translation": 0, "rotation": 1}
    convs = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    for position, conv in enumerate(convs):
        kernel = np.zeros_like(conv.get_weights()[0])
        # The first two convolutions hand red to the translation, the next two green to the angle.
        channel = list(channels.values())[position // 2] if position % 2 == 0 else 0
        kernel[1, 1, channel, 0] = 1
        conv.set_weights([kernel])
    for head in heads(model):
        kernel = np.zeros_like(head.get_weights()[0])
        kernel[1, 0, 0] = 20
        head.set_weights([kernel])
    parameters = [(0, 0, 0), (3, -2, 25), (-2.5, 1.5, -30), (1, 3, 140)]
    images = pairs(parameters)
    found = np.concatenate(
        [part(model, f"{name}_pose")(images) for name in channels], axis=1
    ) - np.array(parameters)  # fmt: skip
    assert np.abs(found[:, :2]).max() < 0.3
    assert np.abs(found[:, 2] - found[0, 2]).max() < 2
    undone = part(model, "transformed")(images).numpy()
    before = np.linalg.norm((images[1:] - images[0]).reshape(3, -1), axis=1)
    after = np.linalg.norm((undone[1:] - undone[0]).reshape(3, -1), axis=1)
    assert np.all(after < 0.5 * before)


@pytest.mark.parametrize("equivariant", [True, False])
def test_every_transformer_learns_from_the_loss(equivariant):
    model, images = etn_resnet(**SMALL, equivariant=equivariant), 255 * smooth_images(4, 16, 3)

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=True) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    of = dict(zip((id(variable) for variable in model.trainable_variables), gradients()))
    kind = layers.Conv1D if equivariant else layers.Dense
    last = [layer for layer in model.layers if isinstance(layer, kind)]
    assert len(last) == (3 if equivariant else 2)
    assert all(np.any(of[id(layer.trainable_variables[0])]) for layer in last)
    # With heat maps that are not flat, all others do too.
    randomize(model)
    for layer in model.layers:
        if layer.name.startswith(("translation_", "rotation_")) and layer.weights:
            layer.set_weights([0.1 * value for value in layer.get_weights()])
    assert all(np.any(gradient) and np.all(np.isfinite(gradient)) for gradient in gradients())


def test_the_ablation_is_not_equivariant_but_the_default_is():
    degrees = np.arange(0, 360, 45)
    images = pairs([(0, 0, angle) for angle in degrees])
    spreads = []
    for equivariant in (True, False):
        model = etn_resnet(8, width=1 / 4, transformers=("rotation",), equivariant=equivariant)
        dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
        for layer in dense:
            kernel, bias = layer.get_weights()
            layer.set_weights([np.random.default_rng(0).normal(size=kernel.shape) / 8, bias])
        pose = part(model, "rotation_pose")(images)[:, 0].numpy()
        spreads.append(np.abs(np.exp(1j * np.radians(pose - degrees)).mean()))
    # 1 if each pose turns with its image.
    assert spreads[0] > 0.99 and spreads[1] < 0.9


def test_refuses_bad_options():
    for options, error, message in [
        ({"transformers": ()}, ValueError, "transformers must be a list of translation, rotation"),
        ({"transformers": "rotation"}, ValueError, "transformers must be a list of .*'rotation'"),
        ({"transformers": ("rotate",)}, ValueError, "unknown transformer 'rotate': did you mean"),
        (
            {"transformers": ["rotation", "rotation"]},
            ValueError,
            "transformers must be different ones, got rotation, rotation",
        ),
        ({"kernel_size": 4}, ValueError, "kernel_size must be odd, got 4"),
        ({"kernel_size": 0}, ValueError, r"kernel_size must be in \[1, 32\], got 0"),
        ({"kernel_size": 3.0}, TypeError, "kernel_size must be an integer, got 3.0"),
        (
            {"input_shape": (1, 8, 1), "kernel_size": 1},
            ValueError,
            "an etn_resnet needs images of at least 2x2, got 1x8",
        ),
        ({"depth": 33}, ValueError, "depth must be 6n"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
    ]:
        with pytest.raises(error, match=f"^{message}") as raised:
            etn_resnet(**options)
        assert "\n" not in str(raised.value)
