from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from spatial_keras import TransformationSet
from spatial_keras.geometry.axes import ShiftX

SMALLEST_P_VALUE = 1e-3


@pytest.mark.parametrize("shape", [[5], [4, 3], [1, 1], [2, 3, 4]])
@pytest.mark.parametrize("whole_pixels", [False, True])
def test_sample_has_the_shape_and_stays_inside(shape, whole_pixels):
    bounds = np.array([2.5, 7.0, 90.0], np.float32)
    draws = TransformationSet(*bounds.tolist()).sample([3, 4], shape, whole_pixels)
    assert draws.dtype == tf.float32
    assert draws.shape == [*shape, 3]
    assert np.all(np.abs(draws) <= bounds)


def test_sample_takes_the_batch_size_of_a_graph():
    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def draw(x):
        return TransformationSet().sample([1, 2], [tf.shape(x)[0], 5])

    np.testing.assert_array_equal(
        draw(tf.zeros([3, 4])), TransformationSet().sample([1, 2], [3, 5])
    )


def test_sample_is_uniform_and_independent():
    bounds = np.array([3.0, 1.0, 30.0])
    draws = TransformationSet(*bounds).sample([0, 7], [20000]).numpy().astype(np.float64)
    for coordinate, bound in zip(draws.T, bounds):
        uniform = stats.uniform(-bound, 2 * bound)
        assert stats.kstest(coordinate, uniform.cdf).pvalue > SMALLEST_P_VALUE
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert stats.pearsonr(draws[:, one], draws[:, other]).pvalue > SMALLEST_P_VALUE


@pytest.mark.parametrize("bound, largest", [(3.0, 3), (2.9, 2), (1.0, 1), (0.5, 0)])
def test_whole_pixels_are_drawn_equally_often(bound, largest):
    draws = TransformationSet(bound, 4.0, 30.0).sample([5, 6], [20000], whole_pixels=True).numpy()
    for column, end in [(draws[:, 0], largest), (draws[:, 1], 4)]:
        values, counts = np.unique(column, return_counts=True)
        np.testing.assert_array_equal(values, np.arange(-end, end + 1))
        assert end == 0 or stats.chisquare(counts).pvalue > SMALLEST_P_VALUE
    uniform = stats.uniform(-30, 60)
    assert stats.kstest(draws[:, 2], uniform.cdf).pvalue > SMALLEST_P_VALUE


@pytest.mark.parametrize("integer, end", [(0, -1), ((1 << 24) - 1, 1)])
def test_the_most_extreme_draws_stay_inside(monkeypatch, integer, end):
    monkeypatch.setattr(
        tf.random, "stateless_uniform", lambda shape, *_, **__: tf.fill(shape, integer)
    )
    for bound in range(40):
        transformations = TransformationSet(bound, bound + 0.3, 180)
        np.testing.assert_array_equal(
            transformations.sample([0, 0], [1], whole_pixels=True)[0, :2], [end * bound] * 2
        )
        draw = transformations.sample([0, 0], [1])[0].numpy()
        assert np.all(np.abs(draw) <= transformations.bounds)
        np.testing.assert_allclose(draw, end * transformations.bounds, rtol=1e-6)


@pytest.mark.parametrize("zero", range(3))
@pytest.mark.parametrize("whole_pixels", [False, True])
def test_a_zero_bound_gives_exactly_zero(zero, whole_pixels):
    bounds = [3.0, 3.0, 30.0]
    bounds[zero] = 0
    draws = TransformationSet(*bounds).sample([1, 2], [200], whole_pixels).numpy()
    assert np.all(draws[:, zero] == 0)
    assert np.all(np.ptp(np.delete(draws, zero, axis=1), axis=0) > 0)


def test_sample_depends_on_the_seed_only():
    draws = [TransformationSet().sample(seed, [50]).numpy() for seed in ([1, 2], [1, 2], [1, 3])]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.mean(draws[0] == draws[2]) < 0.05


@pytest.mark.parametrize("whole_pixels", [False, True])
def test_sample_is_the_same_in_every_mode(execution, whole_pixels):
    transformations = TransformationSet(2.7, 3.3, 31.0)

    @execution
    def draw(seed):
        return transformations.sample(seed, [64, 10], whole_pixels)

    for seed in ([0, 0], [1, 2], [-5, 1 << 30]):
        np.testing.assert_array_equal(
            draw(tf.constant(seed)), transformations.sample(seed, [64, 10], whole_pixels)
        )


def test_sample_is_the_same_in_every_tensorflow():
    np.testing.assert_array_equal(
        TransformationSet().sample([1, 2], [2]),
        np.array(
            [
                [2.5321812629699707, 0.5761359930038452, 29.886695861816406],
                [-2.5188379287719727, 0.8159705400466919, -10.519619941711426],
            ],
            np.float32,
        ),
    )


def test_the_papers_grid():
    points = [
        (tx, ty, rotation)
        for tx in np.linspace(-3, 3, 5)
        for ty in np.linspace(-3, 3, 5)
        for rotation in np.linspace(-30, 30, 31)
    ]
    grid = TransformationSet().grid()
    assert grid.dtype == np.float32
    assert grid.shape == (775, 3)
    np.testing.assert_array_equal(grid, np.array(points, np.float32))
    assert (grid == 0).all(axis=1).sum() == 1


@pytest.mark.parametrize("numbers", [(1, 1, 1), (2, 3, 4), (1, 5, 2), (7, 1, 1)])
def test_any_grid(numbers):
    bounds = (1.0, 2.5, 90.0)
    axes = [np.linspace(-b, b, n) if n > 1 else [0.0] for b, n in zip(bounds, numbers)]
    grid = TransformationSet(*bounds).grid(numbers)
    assert len(grid) == math.prod(numbers)
    np.testing.assert_allclose(
        grid, [(x, y, r) for x in axes[0] for y in axes[1] for r in axes[2]], rtol=1e-6
    )
    assert (grid == 0).all(axis=1).any() == all(n % 2 for n in numbers)


@pytest.mark.parametrize("bounds, points", [((0, 3, 30), 155), ((3, 3, 0), 25), ((0, 0, 0), 1)])
def test_a_zero_bound_collapses_the_grid(bounds, points):
    grid = TransformationSet(*bounds).grid()
    assert len(grid) == len(np.unique(grid, axis=0)) == points
    np.testing.assert_array_equal(np.abs(grid).max(axis=0), bounds)


def test_grid_refuses_bad_counts():
    for counts, error, message in [
        ((0, 5, 5), ValueError, "^number of points in tx must be at least 1, got 0"),
        ((5, 5, 2.0), TypeError, "^number of points in rotation must be .* got 2.0"),
        ((5, 5), ValueError, r"^counts must be 3, for tx, ty, rotation, got \(5, 5\)"),
        (775, ValueError, "^counts must be 3, .* got 775"),
    ]:
        with pytest.raises(error, match=message):
            TransformationSet().grid(counts)


@pytest.mark.parametrize("number", [3, 7, 31])
def test_an_odd_grid_contains_the_identity_whatever_the_bound(number):
    for bound in np.arange(1, 1800) / 10:
        middle = TransformationSet(0, 0, bound).grid((1, 1, number))[number // 2]
        np.testing.assert_array_equal(middle, [0, 0, 0])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_clip_projects_onto_the_box(dtype):
    parameters = tf.constant([[[4, -5, 31], [-3, 3, -30]], [[0.5, 0, -500], [-9, 9, 1]]], dtype)
    clipped = TransformationSet().clip(parameters)
    assert clipped.dtype == dtype
    np.testing.assert_array_equal(
        clipped, [[[3, -3, 30], [-3, 3, -30]], [[0.5, 0, -30], [-3, 3, 1]]]
    )


def test_clip_with_zero_bounds_gives_the_identity():
    np.testing.assert_array_equal(TransformationSet(0, 0, 0).clip([[1.0, -2.0, 3.0]]), [[0, 0, 0]])


def test_is_a_frozen_value():
    transformations = TransformationSet(1, 2, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        transformations.max_tx = 5
    assert transformations == TransformationSet(1, 2, 3) != TransformationSet(1, 2, 4)
    assert len({transformations, TransformationSet(1, 2, 3)}) == 1
    np.testing.assert_array_equal(TransformationSet().bounds, np.float32([3, 3, 30]))


def test_config_round_trip():
    transformations = TransformationSet(1.5, 0, 45.0)
    config = json.loads(json.dumps(transformations.get_config()))
    assert TransformationSet.from_config(config) == transformations
    serialized = tf.keras.utils.serialize_keras_object(transformations)
    assert tf.keras.utils.deserialize_keras_object(serialized) == transformations


@pytest.mark.parametrize("name", ["max_tx", "max_ty", "max_rotation"])
@pytest.mark.parametrize(
    "value, error", [(-1, ValueError), (math.nan, ValueError), (math.inf, ValueError),
                     ("3", TypeError), (None, TypeError), (True, TypeError)]
)  # fmt: skip
def test_refuses_a_bad_bound(name, value, error):
    with pytest.raises(error, match=f"^{name} must be .*, got {value!r}"):
        TransformationSet(**{name: value})


def test_refuses_a_rotation_beyond_180_degrees():
    assert TransformationSet(max_rotation=180).max_rotation == 180
    with pytest.raises(
        ValueError,
        match=r"^max_rotation must be in \[0, 180\], got 180.5; the nearest allowed is 180\.$",
    ):
        TransformationSet(max_rotation=180.5)


def test_check_fits():
    TransformationSet(9.5, 7).check_fits(height=8, width=10)
    with pytest.raises(ValueError, match="^max_tx must be smaller than the image, 10 pixels, "):
        TransformationSet(10, 7).check_fits(height=8, width=10)
    with pytest.raises(ValueError, match="^max_ty must be smaller .* 8 pixels, got 8"):
        TransformationSet(9, 8).check_fits(height=8, width=10)


def test_shifts_may_be_a_share_of_the_size():
    found = TransformationSet.of_size(20, 40, share=0.25, max_rotation=10)
    assert list(found.bounds) == [10, 5, 10]  # to the sides of the width, up and down of the height
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\), got 1"):
        TransformationSet.of_size(20, 40, share=1)


def test_captions_have_a_line_for_each_unit():
    captions = [
        TransformationSet().caption(row) for row in ([1.5, -2, 30], [0, 0, 0], [3, 3, -12.4])
    ]
    assert captions == ["+1.5, -2.0 px\n+30°", "+0.0, +0.0 px\n+0°", "+3.0, +3.0 px\n-12°"]


def test_sets_are_said_in_words():
    words = {
        TransformationSet(): "rotations up to 30 degrees and shifts up to 3 of 32 pixels",
        TransformationSet(1.5, 3, 8): "rotations up to 8 degrees, shifts up and down up to 3 of 32 "
        "pixels and shifts to the sides up to 1.5 of 32 pixels",
        TransformationSet(0, 4, 0): "shifts up to 4 of 32 pixels",
        TransformationSet(0, 0, 0): "no transformation",
    }
    assert {box: box.words(32, 32) for box in words} == words
    assert "up to 3 of 20 pixels and shifts to the sides" in TransformationSet().words(20, 40)
    assert TransformationSet(3, 3, 30).amounts(0.25) == "7.5 degrees and 0.75 pixels"


def test_sizes_are_in_units_of_the_bounds():
    box = TransformationSet(2, 0, 40)
    sizes = box.sizes(np.float32([[0, 0, 0], [-1, 0, 10], [0.5, 0, -36], [2, 0, 0]]))
    np.testing.assert_array_equal(sizes, [0, 0.5, 0.9, 1])
    assert TransformationSet(0, 0, 0).sizes(np.zeros([2, 3])).tolist() == [0, 0]


def test_refuses_axes_that_are_none_or_have_one_name():
    with pytest.raises(TypeError, match="^own_axes must be of Axis, got 'zoom'"):
        TransformationSet(own_axes=["zoom"])
    with pytest.raises(ValueError, match="^axes must have names of their own, got 'tx' twice"):
        TransformationSet(own_axes=[ShiftX(2)])
