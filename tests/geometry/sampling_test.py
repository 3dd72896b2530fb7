from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.geometry import sampling
from spatial_keras.geometry.projective import projective_rows
from tests import oracles

RNG = np.random.default_rng


@pytest.mark.parametrize("size", [(8, 8, 3), (7, 11, 1), (12, 5, 4), (1, 1, 2), (1, 6, 1)])
def test_bilinear_equals_scipy_at_any_points(execution, size):
    height, width, _ = size
    images = RNG(0).uniform(0, 255, (3, *size))
    # From far outside, over the fading border, to every pixel.
    x, y = RNG(1).uniform(-3, [[[width + 2]], [[height + 2]]], (2, 3, 400))
    x[:, :50], y[:, 50:100] = np.round(x[:, :50]), np.round(y[:, 50:100])
    values = execution(sampling.bilinear)(*map(tf.constant, (images, x, y)))
    expected = [oracles.bilinear(*one) for one in zip(images, x, y)]
    np.testing.assert_allclose(values, expected, atol=1e-10)


@pytest.mark.parametrize("shape", [(2,), (2, 5), (2, 3, 4, 5)])
def test_bilinear_keeps_the_points_shape(shape):
    images = RNG(0).uniform(0, 1, (2, 6, 7, 3)).astype(np.float32)
    x, y = RNG(1).uniform(-1, 7, (2, *shape)).astype(np.float32)
    values = sampling.bilinear(images, x, y)
    assert values.dtype == tf.float32
    assert values.shape == (*shape, 3)
    expected = [oracles.bilinear(*one) for one in zip(images, x.reshape(2, -1), y.reshape(2, -1))]
    np.testing.assert_allclose(values, np.reshape(expected, values.shape), atol=1e-5)


def test_bilinear_on_pixels_is_exact():
    images = RNG(0).integers(0, 256, (2, 6, 9, 3)).astype(np.float32)
    y, x = np.mgrid[:6, :9].astype(np.float32)
    grid = [np.stack([axis, axis]) for axis in (x, y)]
    np.testing.assert_array_equal(sampling.bilinear(images, *grid), images)


@pytest.mark.parametrize("x, y", [(-1, 2), (5, 2), (2, -1), (2, 4), (-1e9, 1e9), (1e20, -1e20)])
def test_bilinear_is_zero_a_pixel_outside(x, y):
    images = np.ones((1, 4, 5, 1), np.float32)
    assert sampling.bilinear(images, np.float32([[x]]), np.float32([[y]])).numpy().item() == 0


def test_bilinear_has_the_gradients_of_finite_differences(execution):
    images = RNG(2).uniform(0, 255, (2, 3, 4, 1))
    x, y = RNG(3).uniform(-0.9, [[[3.9]], [[2.9]]], (2, 2, 8))
    weights = RNG(4).normal(size=(2, 8, 1))

    @execution
    def weighted(images, x, y):
        return tf.reduce_sum(sampling.bilinear(images, x, y) * weights)

    arguments = [tf.constant(a) for a in (images, x, y)]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = weighted(*arguments)
    for position, gradient in enumerate(tape.gradient(value, arguments)):

        def numpy_weighted(changed, position=position):
            changed = [*arguments[:position], changed, *arguments[position + 1 :]]
            values = [oracles.bilinear(*(a.numpy() if tf.is_tensor(a) else a for a in one))
                      for one in zip(*changed)]  # fmt: skip
            return np.sum(values * weights)

        expected = oracles.central_differences(numpy_weighted, arguments[position].numpy())
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("x, y", [(1.0, 2.5), (1.5, 2.0), (1.0, 2.0), (-1.0, 2.5), (0.0, 0.0)])
def test_on_pixels_the_gradient_looks_right_and_down(x, y):
    images = RNG(5).uniform(0, 255, (1, 5, 4, 1))
    point = tf.constant([[x, y]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = sampling.bilinear(images, point[:, :1], point[:, 1:])
    here, step = oracles.bilinear(images[0], [x], [y]), 1e-6
    expected = [
        (oracles.bilinear(images[0], [x + step], [y]) - here).item() / step,
        (oracles.bilinear(images[0], [x], [y + step]) - here).item() / step,
    ]
    np.testing.assert_allclose(tape.gradient(value, point)[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("x, y", [(-1.5, 2.0), (2.0, 7.0), (50.0, -50.0)])
def test_the_gradient_vanishes_far_outside(x, y):
    images = tf.ones([1, 5, 4, 1])
    point = tf.constant([[x, y]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([images, point])
        value = sampling.bilinear(images, point[:, :1], point[:, 1:])
    np.testing.assert_array_equal(tape.gradient(value, point), [[0, 0]])
    assert not np.any(tape.gradient(value, images))


@pytest.mark.parametrize("size", [(9, 14), (10, 15), (4, 20)])
@pytest.mark.parametrize("draws", [1, 3])
def test_samplers_agree(size, draws):
    images = RNG(6).uniform(0, 255, (4, 9, 14, 3)).astype(np.float32)
    parameters = RNG(7).uniform([-6, -6, -180], [6, 6, 180], (4, draws, 3)).astype(np.float32)
    rows = projective_rows(parameters, 9, 14)
    with_op = sampling.sample_with_op(images, rows, size)
    assert with_op.shape == (4, draws, *size, 3)
    np.testing.assert_allclose(sampling.sample_with_gather(images, rows, size), with_op, atol=1e-3)
    row = rows[2, -1].numpy()
    canvas = np.pad(images[2], [(0, 11), (0, 6), (0, 0)])
    expected = oracles.projective_transform(canvas, row)[: size[0], : size[1]]
    np.testing.assert_allclose(with_op[2, -1], expected, atol=5e-3)


def test_places_are_exact_where_float32_is_not():
    """In the last row of two, beyond the 2**24th place of the flattened image."""
    width = 5_600_000
    image = (np.arange(2 * width) * 37 % 256).reshape(1, 2, width, 1).astype(np.float32)
    columns = np.arange(width - 50, width - 1)
    x = (columns[None] + 0.5).astype(np.float32)
    found = sampling.bilinear(image, x, np.ones_like(x))
    expected = (image[:, 1, columns] + image[:, 1, columns + 1]) / 2
    np.testing.assert_array_equal(found, expected)
