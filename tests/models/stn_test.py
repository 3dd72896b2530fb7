from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models.stn import stn_resnet
from spatial_keras.training import step_loss
from tests import oracles
from tests.models.networks import counted, part, random_images, smooth_images

layers = tf.keras.layers
SMALL = {"depth": 8, "input_shape": (16, 16, 3), "width": 1 / 8}


def set_pose(model, outputs):
    """Makes the last dense layer of the localiser answer this, before tanh if it has one."""
    regression = model.get_layer("regression")
    kernel, _ = regression.get_weights()
    regression.set_weights([0 * kernel, np.array(outputs)])


@pytest.mark.parametrize(
    "width, mode, localiser",
    [(1.0, "rigid", 93_731), (1.0, "affine6", 93_731 + 3 * 33), (0.5, "rigid", 40_531)],
)
def test_number_of_parameters(width, mode, localiser):
    model = stn_resnet(8, width=width, mode=mode)
    trained, moving = counted(models.get("resnet8", width=width))
    assert counted(model) == (trained + localiser, moving)


@pytest.mark.parametrize("size", [(32, 32, 3), (28, 28, 1), (17, 21, 4), (8, 8, 1)])
@pytest.mark.parametrize("options", [{}, {"mode": "affine6"}, {"fill": "mean"}], ids=str)
def test_begins_as_the_identity(size, options):
    model = stn_resnet(**{**SMALL, "input_shape": size}, **options)
    images = random_images(4, *size)
    kernels = [variable for variable in model.trainable_variables if "kernel" in variable.name]
    assert any(not np.any(kernel) for kernel in kernels)
    expected = model.get_layer("resnet8")(images).numpy()
    tolerance = 1e-4 if options != {"fill": "mean"} else 1e-2
    np.testing.assert_allclose(model(images), expected, atol=tolerance * np.abs(expected).max())
    if options != {"fill": "mean"}:
        np.testing.assert_array_equal(part(model, "transformed")(images), images)


def test_undoes_the_pose_in_pixels_and_degrees():
    model = stn_resnet(**{**SMALL, "input_shape": (20, 17, 2)}, max_shift=4.0, max_rotation=40.0)
    images = random_images(3, 20, 17, 2)
    set_pose(model, np.arctanh([0.5, -0.25, 0.75]))
    np.testing.assert_allclose(part(model, "pose")(images), 3 * [[2, -1, 30]], atol=1e-4)
    warped = part(model, "transformed")(images)
    # The opposite rotation, then the shift as the rotation takes it.
    angle = np.radians(30)
    tx, ty = -np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [2, -1]
    expected = oracles.joint_warp(images, 3 * [[tx, ty, -30]])
    np.testing.assert_allclose(warped, expected, atol=0.01)


def test_the_pose_stays_within_its_bounds():
    model = stn_resnet(**SMALL, max_shift=2.0, max_rotation=20.0)
    for sign in (1, -1):
        set_pose(model, 3 * [sign * 50.0])
        pose = part(model, "pose")(random_images(1, 16, 16, 3))
        np.testing.assert_allclose(pose, sign * np.array([[2, 2, 20]]))


@pytest.mark.parametrize("size, shift", [((32, 32, 3), 6), ((8, 6, 1), 1.5)])
def test_by_default_shifts_go_to_6_pixels_of_32(size, shift):
    model = stn_resnet(**{**SMALL, "input_shape": size})
    set_pose(model, 3 * [50.0])
    pose = part(model, "pose")(random_images(1, *size))
    np.testing.assert_allclose(pose, [[shift, shift, 45]])


def test_affine6_is_a_matrix_in_half_sides():
    model = stn_resnet(**{**SMALL, "input_shape": (9, 13, 1)}, mode="affine6")
    matrix = np.array([[0.8, 0.3, 0.1], [-0.2, 1.1, -0.3]])
    set_pose(model, matrix.ravel())
    (image,) = images = random_images(1, 9, 13, 1)
    y, x = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 13), indexing="ij")
    u, v = np.tensordot(matrix, np.stack([x, y, np.ones_like(x)]), axes=1)
    expected = oracles.bilinear(image, 6 * (u + 1), 4 * (v + 1))
    np.testing.assert_allclose(part(model, "transformed")(images)[0], expected, atol=0.01)


@pytest.mark.parametrize("fill", ["black", "mean"])
def test_what_comes_in_from_outside(fill):
    model = stn_resnet(**SMALL, fill=fill)
    set_pose(model, [50.0, 0, 0])
    images = 100 + random_images(2, 16, 16, 3) / 10
    warped = part(model, "transformed")(images).numpy()
    assert not np.any(warped[:, :, -3:])
    means = warped[:, :, :-3].mean(axis=(1, 2, 3))
    assert np.all(means > 90) if fill == "black" else np.all(np.abs(means) < 0.5)


@pytest.mark.parametrize("mode", ["rigid", "affine6"])
def test_the_pose_learns_from_the_loss(mode):
    model = stn_resnet(**SMALL, mode=mode)
    images = smooth_images(4, 16, 3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images) ** 2)
    kernel, bias = tape.gradient(loss, model.get_layer("regression").trainable_variables)
    assert np.all(np.any(kernel, axis=0)) and np.all(bias)


def test_weight_decay_skips_the_identity():
    classifier = stn_resnet(**SMALL, mode="affine6")
    decayed = {id(kernel) for kernel in step_loss.kernels(classifier)}
    kernel, bias = classifier.get_layer("regression").trainable_variables
    assert id(kernel) in decayed and id(bias) not in decayed
    np.testing.assert_array_equal(bias, [1, 0, 0, 0, 1, 0])


def test_refuses_bad_options():
    for options, error, message in [
        ({"mode": "affin6"}, ValueError, "unknown mode 'affin6': did you mean 'affine6'"),
        ({"fill": "white"}, ValueError, r"unknown fill 'white'\. Allowed: black, mean"),
        ({"max_shift": 0}, ValueError, "max_shift must be more than 0, got 0"),
        ({"max_rotation": 200}, ValueError, r"max_rotation must be in \(0, 180\], got 200"),
        ({"max_rotation": "far"}, TypeError, "max_rotation must be a number, got 'far'"),
        ({"depth": 33}, ValueError, "depth must be 6n"),
        ({"width": 0.01}, ValueError, "width must be at least 0.0625, got 0.01"),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            stn_resnet(**options)


def bars(count, seed):
    """A bar with a dot at one of its four corners, turned by up to 60 degrees either way."""
    rng = np.random.default_rng(seed)
    degrees, labels = rng.uniform(-60, 60, count), rng.integers(0, 4, count)
    y, x = np.mgrid[:16, :16] - 7.5
    z = (x - 1j * y) / np.exp(1j * np.radians(degrees))[:, None, None]
    bar = np.exp(-((z.real / 1.2) ** 4) - (z.imag / 6.5) ** 4)
    corners = np.array([4 + 4j, -4 + 4j, 4 - 4j, -4 - 4j])[labels]
    dot = np.exp(-(np.abs(z - corners[:, None, None]) ** 2) / 3)
    return (255 * np.clip(bar + dot, 0, 1))[..., None].astype(np.float32), labels, degrees


@pytest.mark.slow
def test_learns_the_angle_from_class_labels_alone():
    images, labels, _ = bars(64 * 300, seed=0)
    unseen, _, degrees = bars(500, seed=1)
    correlations = [0.0]
    # The first steps decide whether a localiser gets stuck, and rounding, which differs between
    # machines and numbers of threads, where these lead: so there are several attempts.
    seed = 0
    while max(correlations) <= 0.9 and seed < 4:
        tf.keras.utils.set_random_seed(seed)
        model = stn_resnet(8, 4, (16, 16, 1), 1 / 8, max_rotation=75.0)
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss=loss, jit_compile=True)
        model.fit(images, labels, batch_size=64, verbose=0)
        angles = part(model, "pose")(unseen)[:, 2].numpy()
        correlations.append(np.corrcoef(angles, degrees)[0, 1] if np.std(angles) > 1e-3 else 0.0)
        seed += 1
    assert max(correlations) > 0.9
