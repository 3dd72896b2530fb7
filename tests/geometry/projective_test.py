"""Rows of projective maps: by hand, by Addons, and as products of the axes' matrices."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet
from spatial_keras.geometry.projective import projective_rows, rows_of_axes


def test_rows_map_output_to_input():
    height, width, tx, ty, degrees = 7, 12, 2.5, -1.25, 25.0
    row = projective_rows(tf.constant([tx, ty, degrees], tf.float64), height, width).numpy()
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    angle = np.radians(degrees)
    # Counter-clockwise, where y points down.
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for point in ([0, 0], [3, 5], [11, 6]):
        moved = turn @ (point - center) + center + [tx, ty]
        np.testing.assert_allclose(row[:6].reshape(2, 3) @ [*moved, 1], point, atol=1e-12)
    np.testing.assert_array_equal(row[6:], 0)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_rows_of_any_shape(shape, dtype):
    parameters = np.random.default_rng(0).uniform(-3, 3, (*shape, 3))
    rows = projective_rows(tf.constant(parameters, dtype), 9, 6)
    assert rows.dtype == dtype
    assert rows.shape == (*shape, 8)
    one_by_one = [projective_rows(tf.constant(p, dtype), 9, 6) for p in parameters.reshape(-1, 3)]
    np.testing.assert_array_equal(rows, np.reshape(one_by_one, (*shape, 8)))


def test_rows_are_those_of_addons():
    tfa_image = pytest.importorskip("tensorflow_addons").image
    rng = np.random.default_rng(1)
    parameters = rng.uniform([-3, -3, -180], [3, 3, 180], (20, 3)).astype(np.float32)
    images = rng.uniform(0, 255, (20, 17, 24, 3)).astype(np.float32)
    rotation = tfa_image.angles_to_projective_transforms(np.radians(parameters[:, 2]), 17, 24)
    shift = tfa_image.translations_to_projective_transforms(parameters[:, :2])
    rows = tfa_image.compose_transforms([rotation, shift])
    np.testing.assert_allclose(projective_rows(parameters, 17, 24), rows, atol=1e-5)
    np.testing.assert_allclose(
        SpatialWarp("op", "joint")(images, parameters),
        tfa_image.transform(images, rows, "bilinear"),
        atol=5e-3,
    )


def test_the_product_of_the_axes_is_the_shift_after_the_rotation():
    parameters = np.random.default_rng(2).uniform([-3, -3, -180], [3, 3, 180], (4, 5, 3))
    np.testing.assert_allclose(
        rows_of_axes(TransformationSet().axes, tf.constant(parameters), 17, 24),
        projective_rows(tf.constant(parameters), 17, 24),
        atol=1e-12,
    )
