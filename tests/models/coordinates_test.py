from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.geometry.projective import projective_rows
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.models.coordinates import COORDINATES, POSES, GridSampler, TransformMatrix, grid
from tests import oracles
from tests.models.networks import random_images, smooth_images

RNG = np.random.default_rng
KINDS = list(POSES)


def random_poses(kind, count, seed=0):
    spread = {"x": 3, "y": 3, "angle": 180, "log_scale": 0.5}
    poses = RNG(seed).uniform(-1, 1, (count, len(POSES[kind])))
    if kind == "affine6":
        return poses + [1, 0, 0, 0, 1, 0]
    return poses * [spread[name] for name in POSES[kind]]


def numpy_matrix(kind, pose):
    """How a pose moves a point, with complex numbers of which i points up."""
    if kind == "affine6":
        return np.vstack([np.reshape(pose, (2, 3)), [0, 0, 1]])
    named = dict(zip(POSES[kind], pose))
    turn = np.exp(named.get("log_scale", 0) + 1j * np.radians(named.get("angle", 0)))
    right, down = turn * 1, turn * -1j
    shift = [named.get("x", 0), named.get("y", 0)]
    return np.array([[right.real, down.real, shift[0]], [-right.imag, -down.imag, shift[1]],
                     [0, 0, 1]])  # fmt: skip


def matrices_of(kind, poses, dtype="float64"):
    return TransformMatrix(kind, dtype=dtype)(tf.constant(poses, dtype))


# The points.


@pytest.mark.parametrize("height, width", [(4, 4), (5, 8), (1, 3), (28, 28)])
def test_cartesian_points_are_the_pixels(height, width):
    points = grid("cartesian", height, width, None)
    rows, columns = np.mgrid[:height, :width]
    np.testing.assert_array_equal(points[..., 0], columns - (width - 1) / 2)
    np.testing.assert_array_equal(points[..., 1], rows - (height - 1) / 2)


@pytest.mark.parametrize("coordinates", ["polar", "log_polar"])
@pytest.mark.parametrize("height, width", [(32, 32), (9, 14)])
def test_polar_points(coordinates, height, width):
    points = grid(coordinates, height, width, None)
    side, corner = max(height, width), np.hypot(height - 1, width - 1) / 2
    assert points.shape == (2 * side, side, 2)
    z = points[..., 0] - 1j * points[..., 1]
    # The first row is half a step after -180 degrees, and rows turn counter-clockwise: so the
    # first follows the last as any row follows the one before.
    assert np.angle(z[0, -1], deg=True) == pytest.approx(-180 + 90 / side)
    turn = np.exp(1j * np.pi / side)
    np.testing.assert_allclose(np.roll(z, -1, axis=0), z * turn, atol=1e-12)
    radii = np.abs(z[0])
    assert radii[-1] == pytest.approx(corner)
    if coordinates == "polar":
        np.testing.assert_allclose(np.diff(radii), corner / (side - 1))
        assert radii[0] == 0
    else:
        np.testing.assert_allclose(radii[1:] / radii[:-1], (10 * 2**0.5) ** (1 / (side - 1)))


# Sampling.


@pytest.mark.parametrize(
    "coordinates, size", [*((name, (6, 4)) for name in COORDINATES), ("polar", None)]
)
def test_equals_numpy_on_scipys_samples(execution, coordinates, size):
    images, poses = random_images(3, 7, 10, 2) / 255, random_poses("affine6", 3)
    sampler = GridSampler(coordinates, size, dtype="float64")
    images = images.astype(np.float64)
    samples = execution(sampler)(tf.constant(images), matrices_of("affine6", poses))
    points = grid(coordinates, 7, 10, size)
    homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    for one, image, pose in zip(samples, images, poses):
        x, y, _ = np.moveaxis(homogeneous @ numpy_matrix("affine6", pose).T, -1, 0)
        np.testing.assert_allclose(one, oracles.bilinear(image, x + 4.5, y + 3), atol=1e-10)


@pytest.mark.parametrize("size", [(8, 8, 3), (5, 8, 1), (9, 4, 2), (1, 1, 1)])
def test_the_identity_returns_the_image(size):
    images = random_images(2, *size)
    np.testing.assert_array_equal(GridSampler()(images), images)
    for kind in set(KINDS) - {"affine6"}:
        identity = matrices_of(kind, np.zeros((2, len(POSES[kind]))), "float32")
        np.testing.assert_array_equal(GridSampler()(images, identity), images)


@pytest.mark.parametrize("x, y", [(2, 0), (0, -3), (-1, 4)])
def test_a_whole_shift_is_undone_exactly(x, y):
    images = random_images(1, 9, 10, 2)
    samples = GridSampler()(images, matrices_of("translation", [[x, y]], "float32"))
    padded = np.pad(images, [(0, 0), (4, 4), (4, 4), (0, 0)])
    np.testing.assert_array_equal(samples, padded[:, 4 + y : 13 + y, 4 + x : 14 + x])


@pytest.mark.parametrize("quarters, side", [(1, 8), (2, 9), (3, 9)])
def test_quarter_turns_are_undone_by_rot90(quarters, side):
    images = random_images(2, side, side, 2)
    samples = GridSampler()(images, matrices_of("rotation", 2 * [[90.0 * quarters]], "float32"))
    expected = np.rot90(images, -quarters, axes=(1, 2))
    np.testing.assert_allclose(samples, expected, atol=0.01)


@pytest.mark.parametrize("coordinates", ["polar", "log_polar"])
@pytest.mark.parametrize("steps", [1, 5, -9])
def test_a_rotation_shifts_polar_rows(coordinates, steps):
    images = random_images(2, 12, 16, 3)
    sampler = GridSampler(coordinates, (24, 10), dtype="float64")
    turned = sampler(images, matrices_of("rotation", 2 * [[15.0 * steps]]))
    np.testing.assert_allclose(turned, np.roll(sampler(images), -steps, axis=1), atol=1e-9)


def test_a_scaling_shifts_log_polar_columns():
    images = random_images(2, 16, 16, 3)
    sampler = GridSampler("log_polar", (24, 11), dtype="float64")
    step = np.log(10 * np.sqrt(2)) / 10
    scaled = sampler(images, matrices_of("rotation_scale", 2 * [[0, 2 * step]]))
    np.testing.assert_allclose(scaled[:, :, :-2], sampler(images)[:, :, 2:], atol=1e-9)


def test_reads_what_a_compiled_graph_of_any_batch_reads():
    sampler = GridSampler("polar")
    images = random_images(3, 9, 9, 1)
    matrices = matrices_of("rigid", random_poses("rigid", 3), "float32")

    @tf.function(
        input_signature=[tf.TensorSpec([None, 9, 9, 1]), tf.TensorSpec([None, 3, 3])],
        jit_compile=True,
    )
    def compiled(images, matrices):
        return sampler(images, matrices)

    np.testing.assert_allclose(compiled(images, matrices), sampler(images, matrices), atol=1e-3)


# Matrices.


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_move_points_as_the_pose_says(kind):
    poses = random_poses(kind, 5)
    expected = [numpy_matrix(kind, pose) for pose in poses]
    np.testing.assert_allclose(matrices_of(kind, poses), expected, atol=1e-12)
    previous = RNG(2).normal(size=(5, 3, 3))
    composed = TransformMatrix(kind, dtype="float64")(tf.constant(poses), tf.constant(previous))
    np.testing.assert_allclose(composed, previous @ expected, atol=1e-12)


def test_a_rigid_pose_is_a_shift_after_a_rotation():
    poses = random_poses("rigid", 4)
    shift = matrices_of("translation", poses[:, :2])
    both = TransformMatrix("rotation", dtype="float64")(tf.constant(poses[:, 2:]), shift)
    np.testing.assert_allclose(matrices_of("rigid", poses), both, atol=1e-12)


def test_a_rigid_pose_undoes_the_transformation_of_its_parameters():
    parameters = random_poses("rigid", 6)
    # T's rows take points of the output to points of the input, from the upper left pixel.
    rows = projective_rows(parameters, 11, 14).numpy()
    undone = np.concatenate([rows[:, :6], np.tile([0, 0, 1], (6, 1))], axis=1).reshape(-1, 3, 3)
    corner = np.array([[1, 0, 6.5], [0, 1, 5], [0, 0, 1]])
    found = corner @ matrices_of("rigid", parameters).numpy() @ np.linalg.inv(corner)
    np.testing.assert_allclose(undone @ found, np.tile(np.eye(3), (6, 1, 1)), atol=1e-9)

    images = smooth_images(6, 32, 3)
    warped = SpatialWarp("gather", "joint")(images, parameters)
    back = GridSampler()(warped, matrices_of("rigid", parameters, "float32"))
    difference = (back - images)[:, 11:21, 11:21]
    assert np.abs(difference).max() < 0.02 < np.abs(warped - images)[:, 11:21, 11:21].max()


@pytest.mark.parametrize("kind", ["rigid", "rotation_scale"])
def test_two_warps_are_nearly_the_warp_of_the_product(kind):
    images, first = smooth_images(4, 32, 2), matrices_of(kind, 0.4 * random_poses(kind, 4))
    poses = tf.constant(0.4 * random_poses(kind, 4, seed=1))
    sampler = GridSampler(dtype="float64")
    twice = sampler(sampler(images, first), matrices_of(kind, poses))
    once = sampler(images, TransformMatrix(kind, dtype="float64")(poses, first))
    np.testing.assert_allclose(twice[:, 10:22, 10:22], once[:, 10:22, 10:22], atol=0.03)


def differences(function, point):
    """Central differences of a function of batches [n, ...] at one point, all at once."""
    steps = 1e-6 * np.eye(point.size).reshape(-1, *point.shape)
    up, down = (function(tf.constant(point + sign * steps)).numpy() for sign in (1, -1))
    return ((up - down) / 2e-6).reshape(point.shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coordinates", ["cartesian", "polar"])
def test_gradients_are_those_of_finite_differences(kind, coordinates):
    image, weights = RNG(3).uniform(size=(5, 6, 2)), RNG(5).normal(size=(4, 4, 2))
    (pose,) = random_poses(kind, 1, seed=4)
    sampler = GridSampler(coordinates, (4, 4), dtype="float64")

    def weighted(images, poses):
        count = max(len(images), len(poses))
        images = tf.repeat(images, count // len(images), axis=0)
        poses = tf.repeat(poses, count // len(poses), axis=0)
        return tf.reduce_sum(sampler(images, matrices_of(kind, poses)) * weights, [1, 2, 3])

    arguments = [tf.constant(image[None]), tf.constant(pose[None])]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = weighted(*arguments)
    in_images, in_pose = tape.gradient(value, arguments)
    expected = differences(lambda poses: weighted(arguments[0], poses), pose)
    np.testing.assert_allclose(in_pose[0], expected, rtol=1e-6, atol=1e-7)
    assert np.all(expected)
    expected = differences(lambda images: weighted(images, arguments[1]), image)
    np.testing.assert_allclose(in_images[0], expected, rtol=1e-6, atol=1e-7)


def test_computes_in_float32_under_mixed_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    images = random_images(2, 8, 8, 1)
    pose = np.float32(2 * [[1, 2, 90]])
    matrices = TransformMatrix("rigid")(tf.constant(pose))
    samples = GridSampler()(images, matrices)
    assert matrices.dtype == samples.dtype == tf.float32
    tf.keras.mixed_precision.set_global_policy("float32")
    np.testing.assert_array_equal(samples, GridSampler()(images, matrices))


def test_refuses_bad_options():
    for build, error, message in [
        (lambda: GridSampler("polr"), ValueError, "unknown coordinates 'polr': did you mean 'pol"),
        (lambda: GridSampler(size=(3, 0)), ValueError, "size must be at least 1, got 0"),
        (lambda: GridSampler(size=(3.0, 2)), TypeError, "size must be an integer, got 3.0"),
        (lambda: GridSampler(size=3), ValueError, "size must be two, rows and columns, got 3"),
        (lambda: TransformMatrix("rigd"), ValueError, "unknown kind of transformation 'rigd': did"),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            build()
