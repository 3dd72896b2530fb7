from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.geometry.sampling import bilinear
from spatial_keras.models.coordinates import GridSampler, TransformMatrix
from spatial_keras.models.pose import (
    CyclicPadding,
    HeatMapPose,
    Parameter,
    direct_pose,
    equivariant_pose,
)
from tests import oracles
from tests.models.networks import counted
from tests.pairwise import pairwise

layers = tf.keras.layers
RNG = np.random.default_rng

EXECUTIONS = ("eager", "function", "xla")
ANGLE = (Parameter("angle", 1, 180.0, periodic=True),)
SHIFT = (Parameter("x", 2, 15.5), Parameter("y", 1, 15.5))
SEEDS = range(8)


def predictor(parameters, shape=(64, 32, 3), predict=equivariant_pose, **options):
    """A predictor of its own: canonical images -> pose."""
    canonical = layers.Input(shape)
    pose = predict(canonical, "t", parameters, **{"filters": 32, **options})
    return tf.keras.Model(canonical, pose)


def between(model, name):
    return tf.keras.Model(model.inputs[0], model.get_layer(name).output)


def draw(model, seed):
    """Draws kernels so that heat maps of images in 0..1 are peaked; BatchNorm is the identity."""
    rng = RNG(seed)
    for layer in model.layers:
        deviation = {layers.Conv2D: np.sqrt(2), layers.Conv1D: 8, layers.Dense: 1}.get(type(layer))
        if deviation:
            kernel, *bias = layer.get_weights()
            fan_in = np.prod(kernel.shape[:-1])
            layer.set_weights([rng.normal(0, deviation / np.sqrt(fan_in), kernel.shape), *bias])
    return model


def wrapped(degrees):
    return (np.asarray(degrees) + 180) % 360 - 180


# The layers.


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("shape", [(4, 3, 2), (5, 1)])
def test_padding_continues_the_axis(padding, shape):
    x = RNG(0).normal(size=(2, *shape)).astype(np.float32)
    sides = [(0, 0), (padding, padding), *[(0, 0)] * (len(shape) - 1)]
    np.testing.assert_array_equal(CyclicPadding(padding)(x), np.pad(x, sides, mode="wrap"))


def numpy_mean_position(heat_map, half_range, periodic, bias):
    count = heat_map.shape[-1]
    if not periodic:
        return half_range * (heat_map @ np.linspace(-1, 1, count) + np.tanh(bias / 10))
    angles = np.pi * (-1 + (2 * np.arange(count) + 1) / count)
    return half_range * (np.angle(heat_map @ np.exp(1j * angles)) / np.pi + np.tanh(bias / 10))


@pairwise(execution=EXECUTIONS, periodic=[False, True], count=[2, 7, 64], indirect=["execution"])
def test_pose_is_the_mean_position(execution, periodic, count):
    heat_map = RNG(0).dirichlet(np.ones(count) / 2, size=5)
    layer = HeatMapPose(3.0, periodic, dtype="float64")
    layer.build(heat_map.shape)
    layer.set_weights([np.array(3.0)])
    expected = numpy_mean_position(heat_map, 3.0, periodic, 3.0)
    pose = execution(layer)(tf.constant(heat_map))
    np.testing.assert_allclose(pose, expected[:, None], atol=1e-12)


@pytest.mark.parametrize("periodic", [False, True])
def test_pose_has_the_gradients_of_finite_differences(periodic):
    scores = 3 * RNG(0).normal(size=(2, 6))
    layer = HeatMapPose(180, periodic, dtype="float64")

    def total(scores):
        return tf.reduce_sum(layer(tf.nn.softmax(scores)) * [[1.0], [-2.0]])

    with tf.GradientTape() as tape:
        tape.watch(point := tf.constant(scores))
        value = total(point)
    expected = oracles.central_differences(lambda s: total(tf.constant(s)).numpy(), scores)
    np.testing.assert_allclose(tape.gradient(value, point), expected, rtol=1e-6, atol=1e-6)


@pairwise(execution=EXECUTIONS, periodic=[False, True], count=[1, 2, 8, 63], indirect=["execution"])
def test_the_gradient_of_a_flat_heat_map_is_bounded(execution, periodic, count):
    layer = HeatMapPose(180, periodic)
    for noise in (0, 1e-7, 1e-3):
        flat = tf.constant(1 / count + noise * RNG(0).normal(size=(2, count)), tf.float32)

        @execution
        def gradient(flat):
            with tf.GradientTape() as tape:
                tape.watch(flat)
                pose = layer(flat)
            return tape.gradient(pose, flat)

        if noise == 0:
            assert np.abs(layer(flat)).max() < 1e-3
        # The angle of a vector of length 0.1 turns by 10 radians per length.
        assert np.abs(gradient(flat)).max() < 1.01 * (np.degrees(10) if periodic else 180)


# The predictors.


@pytest.mark.parametrize("parameters, trained", [(SHIFT, 10_402), (ANGLE, 10_305)])
def test_number_of_parameters(parameters, trained):
    # Two convolutions and their norms, and for each parameter one 1-D kernel and a bias: the
    # published 10,402 has two.
    assert 3 * 3 * 32 * (3 + 32) + 2 * 2 * 32 + len(parameters) * (3 * 32 + 1) == trained
    assert counted(predictor(parameters)) == (trained, 128)


def numpy_scores(model, x, axis, periodic):
    """The scores in float64 NumPy, from their description."""
    convs = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for conv, norm in zip(convs, norms):
        (kernel,), (gamma, beta, mean, variance) = conv.get_weights(), norm.get_weights()
        p = kernel.shape[0] // 2
        x = np.pad(x, [(0, 0), (p, p), (0, 0), (0, 0)], mode="wrap" if periodic else "constant")
        x = np.pad(x, [(0, 0), (0, 0), (p, p), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
        x = np.einsum("brcixy,xyio->brco", windows, kernel)
        x = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
        x = np.where(x > 0, x, 0.1 * x)
    x = x.max(axis=3 - axis)
    head = next(la for la in model.layers if isinstance(la, layers.Conv1D)).get_weights()[0]
    p = head.shape[0] // 2
    x = np.pad(x, [(0, 0), (p, p), (0, 0)], mode="wrap" if periodic else "constant")
    windows = np.lib.stride_tricks.sliding_window_view(x, head.shape[0], axis=1)
    return np.einsum("bnik,ki->bn", windows, head[..., 0])


@pytest.mark.parametrize("axis, periodic", [(1, True), (1, False), (2, False)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_equals_a_numpy_predictor(axis, periodic, kernel_size):
    parameter = Parameter("p", axis, 2.0, periodic)
    model = predictor((parameter,), (9, 6, 2), filters=4, kernel_size=kernel_size)
    draw(model, 0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights(RNG(1).uniform(0.5, 1.5, (4, 4)))
    model.get_layer("t_p").set_weights([np.array(-2.0)])
    x = RNG(2).normal(size=(3, 9, 6, 2))
    scores = numpy_scores(model, x, axis, periodic)
    np.testing.assert_allclose(between(model, "t_p_scores")(x), scores, rtol=1e-4, atol=1e-4)
    heat_map = np.exp(scores - scores.max(axis=1, keepdims=True))
    heat_map /= heat_map.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(between(model, "t_p_heat_map")(x), heat_map, atol=1e-4)
    expected = numpy_mean_position(heat_map, 2.0, periodic, -2.0)
    np.testing.assert_allclose(model(x)[:, 0], expected, atol=1e-3)


def cyclic_shifts(seed):
    """A random canonical image, and by how many rows it is shifted in the others."""
    shifts = np.array([0, 1, 2, 7, 31, 32, 63])
    image = RNG(seed).uniform(size=(64, 32, 3)).astype(np.float32)
    return shifts, np.stack([np.roll(image, shift, axis=0) for shift in shifts])


def test_scores_shift_with_a_periodic_axis():
    model = predictor(ANGLE)
    scores = between(model, "t_angle_scores")
    for seed in SEEDS:
        draw(model, seed)
        shifts, images = cyclic_shifts(seed)
        first, *others = scores(images).numpy()
        for shift, shifted in zip(shifts[1:], others):
            scale = np.abs(first).max()
            np.testing.assert_allclose(shifted / scale, np.roll(first, shift) / scale, atol=1e-5)
            assert np.abs(shifted - first).max() > 0.1 * scale


def pose_errors(model):
    """Degrees by which poses miss the cyclic shifts, over seeds whose angle is well-defined."""
    errors = []
    for seed in SEEDS:
        draw(model, seed)
        shifts, images = cyclic_shifts(seed)
        pose = model(images)[:, 0].numpy()
        errors.append(np.abs(wrapped(pose - pose[0] - 360 * shifts / 64)).max())
    return errors


def test_a_periodic_pose_shifts_exactly():
    # 1e-5 radians, to the rounding of angles of up to 180 degrees in float32.
    assert max(pose_errors(predictor(ANGLE))) < np.degrees(1e-5)


@pytest.mark.parametrize(
    "options",
    [{"predict": direct_pose}, {"strides": (2, 1)}, {"strides": (1, 2)}],
    ids=["direct", "strides 2, 1", "strides 1, 2"],
)
def test_control_other_poses_do_not_shift_exactly(options):
    assert np.median(pose_errors(predictor(ANGLE, **options))) > np.degrees(1e-3)


@pytest.mark.parametrize("parameter", SHIFT, ids=lambda one: one.name)
def test_scores_shift_inside_an_axis_with_ends(parameter):
    model = predictor((parameter,), (32, 32, 2), filters=8)
    scores = between(model, f"t_{parameter.name}_scores")
    margin = 3 * (3 // 2)
    for seed in SEEDS:
        draw(model, seed)
        image = np.zeros([32, 32, 2], np.float32)
        image[12:20, 12:20] = RNG(seed).uniform(size=(8, 8, 2))
        shifts = [1, -1, 4, -6]
        moved = [np.roll(image, shift, axis=parameter.axis - 1) for shift in shifts]
        first, *others = scores(np.stack([image, *moved])).numpy()
        for shift, shifted in zip(shifts, others):
            inside = slice(margin + abs(shift), 32 - margin - abs(shift))
            expected = np.roll(first, shift)[inside]
            scale = np.abs(first).max()
            np.testing.assert_allclose(shifted[inside] / scale, expected / scale, atol=1e-5)
            assert np.abs(shifted - first)[inside].max() > 0.1 * scale


def sharpen(model, gain):
    """Sets weights by hand: the first channel goes through, scores are `gain` times its maxima."""
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.Conv1D)):
            kernel = np.zeros_like(layer.get_weights()[0])
            kernel[(*(size // 2 for size in kernel.shape[:-2]), 0, 0)] = 1
            layer.set_weights([kernel * (gain if isinstance(layer, layers.Conv1D) else 1)])
    return model


def blob(x, y, deviation, center_x, center_y):
    return np.exp(-((x - center_x) ** 2 + (y - center_y) ** 2) / (2 * deviation**2))


def test_by_hand_a_blobs_shift_is_its_pose():
    model = sharpen(predictor(SHIFT, (32, 32, 1), filters=2), 50)
    y, x = np.mgrid[:32, :32] - 15.5
    centers = [(0.5, -0.5), (5.5, -0.5), (-6.5, 3.5), (1, 0), (-4, 7)]
    images = np.stack([blob(x, y, 2.0, *center) for center in centers])[..., None]
    errors = np.abs(model(images) - np.array(centers))
    assert errors[:3].max() < 1e-3  # on a pixel
    assert errors[3:].max() < 0.15  # between pixels


@pytest.mark.parametrize("side", [32, 64])
def test_by_hand_a_blobs_scale_is_its_pose(side):
    half_range = np.log(10 * np.sqrt(2)) / 2
    scale = (Parameter("log_scale", 2, half_range),)
    inputs = layers.Input((side, side, 1))
    canonical = GridSampler("log_polar", (side, side))(inputs)
    pose = equivariant_pose(canonical, "t", scale, filters=2)
    model = sharpen(tf.keras.Model(inputs, pose), 50)
    half = (side - 1) / 2
    y, x = np.mgrid[:side, :side] - half
    factors = np.array([1, 0.7, 0.8, 0.9, 1.1, 1.25, 1.4])
    images = np.stack([
        blob(x, y, 0.15 * factor * half, 0.35 * factor * half, -0.3 * factor * half)
        for factor in factors
    ])[..., None]  # fmt: skip
    found = model(images)[:, 0].numpy()
    half_step = half_range / (side - 1)
    np.testing.assert_allclose(found - found[0], np.log(factors), atol=half_step)


# Rotations of images.

DEGREES = np.array([0, 5, 17, 30, 90, 140])


def constellations(seed, side):
    """Coloured Gaussians, turned exactly, not by interpolation, by DEGREES: values in 0..1."""
    rng, half = RNG(seed), (side - 1) / 2
    count = rng.integers(5, 9)
    radii, deviations = half * rng.uniform([[0.25], [0.08]], [[0.75], [0.16]], (2, count))
    angles, colours = rng.uniform(0, 2 * np.pi, count), rng.uniform(size=(count, 3))
    y, x = (np.mgrid[:side, :side] - half)[..., None]
    turned = [angles + np.radians(degrees) for degrees in DEGREES]
    return np.stack([
        blob(x, y, deviations, radii * np.cos(a), -radii * np.sin(a)) @ colours for a in turned
    ]).astype(np.float32)  # fmt: skip


def inclusive(images, size):
    """Polar samples whose last row repeats the first, at -180 and at 180 degrees."""
    rows, columns = size
    (half, _), angles = (np.array(images.shape[1:3]) - 1) / 2, np.linspace(-np.pi, np.pi, rows)
    radii = np.linspace(0, np.sqrt(2) * half, columns)
    x = half + radii * np.cos(angles)[:, None]
    y = half - radii * np.sin(angles)[:, None]
    x, y = (np.tile(axis, (len(images), 1, 1)).astype(np.float32) for axis in (x, y))
    return bilinear(tf.constant(images), tf.constant(x), tf.constant(y))


def rotations(side, size, sample=None, **options):
    """Errors of the pose in degrees, and of the undone images, over seeds and angles."""
    sample = sample or GridSampler("polar", size)
    model = predictor(ANGLE, (*size, 3), **options)
    heat_maps = None if "predict" in options else between(model, "t_angle_heat_map")
    errors, differences = [], []
    for seed in SEEDS:
        draw(model, seed)
        images = constellations(seed, side)
        canonical = sample(images)
        if heat_maps:
            directions = heat_maps(canonical).numpy()
            turns = np.exp(2j * np.pi * np.arange(directions.shape[1]) / directions.shape[1])
            if np.abs(directions @ turns).min() < 0.1:
                continue
        pose = model(canonical)
        errors.append(wrapped(pose[1:, 0] - pose[0, 0] - DEGREES[1:]))
        undone = GridSampler()(images, TransformMatrix("rotation")(pose)).numpy()
        differences.append(relative(undone))
        assert np.median(relative(images)) > 0.5
    assert len(errors) >= 6
    return np.abs(errors).ravel(), np.ravel(differences)


def relative(images):
    others = (images[1:] - images[0]).reshape(len(images) - 1, -1)
    return np.linalg.norm(others, axis=1) / np.linalg.norm(images[0])


def test_pose_follows_the_rotation_of_an_image():
    errors, differences = rotations(32, (64, 32))
    assert np.median(errors) <= 0.5
    assert np.percentile(errors, 95) <= 3
    assert np.median(differences) <= 0.10


def test_images_of_64_pixels_lose_little():
    errors, differences = rotations(64, (64, 64))
    assert np.median(errors) <= 0.5
    assert np.median(differences) <= 0.02


def test_control_the_inclusive_grid_fails():
    errors, _ = rotations(32, (64, 32), sample=lambda images: inclusive(images, (64, 32)))
    assert np.median(errors) > 0.5


@pytest.mark.parametrize("strides", [(2, 1), (2, 2)])
def test_control_strides_fail(strides):
    errors, _ = rotations(32, (64, 32), strides=strides)
    assert np.percentile(errors, 95) > 3


def test_control_the_direct_predictor_fails():
    errors, differences = rotations(32, (64, 32), predict=direct_pose)
    assert np.median(errors) > 3
    assert np.median(differences) > 0.3


@pytest.mark.parametrize("size", [(64, 32), (9, 14), (3, 4)])
def test_the_direct_predictor_pools_to_the_kernels_size_and_begins_at_zero(size):
    model = predictor(SHIFT, (*size, 2), direct_pose, filters=4)
    (pool,) = [layer for layer in model.layers if isinstance(layer, layers.MaxPooling2D)]
    assert tuple(pool.output.shape) == (None, 3, 3, 4)
    x = RNG(0).normal(size=(2, *size, 2))
    np.testing.assert_array_equal(model(x), np.zeros([2, 2]))
    draw(model, 0)
    assert 0 < np.abs(model(x)).max() < 15.5
