"""Zoom, shear, tilts, quarter turns and flips, against SciPy through the inverse homography."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet, WorstOfK
from spatial_keras.geometry import camera
from tests import oracles

NAMES = (
    "tx", "ty", "rotation", "zoom", "shear_x", "shear_y", "pitch", "yaw", "quarter_turns", "flip",
)  # fmt: skip
CONTINUOUS = TransformationSet(2, 2, 30, 1.3, 12, 8, 15, 20)
EVERYTHING = TransformationSet(2, 2, 30, 1.3, 12, 8, 15, 20, quarter_turns=True, flip=True)
EXACT = TransformationSet(0, 0, 0, quarter_turns=True, flip=True)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def expected(box, images, parameters):
    """By SciPy, in float64: [batch, k, height, width, channels]."""
    identity = dict.fromkeys(NAMES, 0.0) | {"zoom": 1.0}

    def warp(image, row):
        values = identity | dict(zip(box.names, np.asarray(row, np.float64)))
        content = oracles.homography(
            [values[name] for name in NAMES], *image.shape[:2], box.field_of_view
        )
        return oracles.homography_warp(image, content)

    return np.stack([[warp(*pair) for pair in zip([image] * len(rows), rows)]
                     for image, rows in zip(images, parameters)])  # fmt: skip


def test_columns_stand_in_their_order():
    assert EVERYTHING.names == NAMES and CONTINUOUS.names == NAMES[:8]
    assert EVERYTHING.default_counts == (5, 5, 31, 3, 3, 3, 3, 3, 4, 2)
    assert TransformationSet(max_yaw=5, flip=True).names == ("tx", "ty", "rotation", "yaw", "flip")
    assert TransformationSet(max_zoom=1, field_of_view=90).is_papers
    sized = TransformationSet.of_size(20, 40, 0.25, 10, max_zoom=1.5, flip=True)
    assert sized == TransformationSet(10, 5, 10, 1.5, flip=True)


@pytest.mark.parametrize(
    "box, shape, k",
    [
        (CONTINUOUS, (9, 14, 1), 4), (EVERYTHING, (32, 32, 3), 4), (CONTINUOUS, (14, 9, 5), 3),
        (TransformationSet(0, 0, 0, max_pitch=12, max_yaw=9, field_of_view=100), (9, 14, 3), 4),
        (EVERYTHING, (224, 224, 3), 1),
    ],
)  # fmt: skip
def test_the_product_is_scipys(box, shape, k):
    images = noise(2, *shape)
    box.check_fits(*shape[:2])
    parameters = box.sample([1, len(box.axes)], [2, k]).numpy()
    reference = expected(box, images, parameters)
    for name in ("op", "gather"):
        warped = SpatialWarp(name).along(box)(images, parameters)
        assert warped.dtype == tf.float32
        # A grey level: of noise of 224 pixels a place is known to 2e-5 pixels.
        np.testing.assert_allclose(warped, reference, atol=1e-2 if shape[0] < 100 else 5e-2)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_it_is_the_same_under_xla(dtype):
    images, parameters = noise(3, 9, 9, 2).astype(dtype), EVERYTHING.sample([5, 6], [3, 4])
    layer = SpatialWarp("gather").along(EVERYTHING)
    compiled = tf.function(lambda *given: layer(*given), jit_compile=True)(images, parameters)
    assert compiled.dtype == ("float16" if dtype == "float16" else "float32")
    reference = expected(EVERYTHING, images, parameters.numpy())
    np.testing.assert_allclose(compiled, reference, atol=0.2 if dtype == "float16" else 1e-2)


def test_one_axis_alone_is_what_its_name_says():
    """Where a light above the centre of a dark image goes, as (row, column)."""
    box = TransformationSet(0, 0, 0, 2, 40, 40, 20, 20, quarter_turns=True, flip=True)
    image = np.zeros([1, 21, 21, 1])
    image[0, 4, 7] = 255

    def place(axis, value):
        row = box.identity
        row[box.names.index(axis)] = value
        warped = SpatialWarp("gather").along(box)(image, row[None])[0, ..., 0].numpy()
        return [
            np.round((index * warped).sum() / warped.sum(), 1) for index in np.indices([21, 21])
        ]

    degrees = float(np.degrees(np.arctan(0.5)))
    assert place("shear_x", degrees) == [4, 4]  # 6 above the centre: 3 to the left
    assert place("shear_y", degrees) == [2.5, 7]  # 3 to the left of it: 1.5 up
    assert place("quarter_turns", 1) == [13, 4]
    assert place("flip", 1) == [4, 13]
    assert place("zoom", 1.5) == [1, 5.5]
    assert place("pitch", 5)[0] < 4 and place("yaw", 5)[1] > 7


@pytest.mark.parametrize("shape", [(9, 14, 1), (32, 32, 3)])
def test_every_continuous_axis_has_its_derivative(shape):
    image = np.random.default_rng(1).uniform(0, 255, [1, *shape])
    parameters = np.array([[0.3, -0.4, 5.1, 1.13, 4.2, -3.3, 6.1, -7.2, 0.0]])
    box = TransformationSet(2, 2, 30, 1.3, 12, 8, 15, 20, flip=True)
    weights = np.random.default_rng(2).normal(size=image.shape)
    layer = SpatialWarp("gather").along(box)
    with tf.GradientTape() as tape:
        value = tf.constant(parameters)
        tape.watch(value)
        total = tf.reduce_sum(layer(tf.constant(image), value) * weights)
    gradient = tape.gradient(total, value).numpy()[0]

    def at(row):
        return np.sum(expected(box, image, row[None, None])[0, 0] * weights[0])

    steps = 1e-6 * np.eye(9)[:8]
    slopes = [(at(parameters[0] + step) - at(parameters[0] - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient[:8], slopes, rtol=1e-3)
    assert gradient[8] == 0


def largest_share(shape, content):
    """How much of the frame, about its centre, shows no outside: by halving, along its border."""
    height, width = shape

    def is_inside(share):
        enlarged = np.diag([1 / share, 1 / share, 1]) @ content
        x, y = oracles.homography_points(height, width, enlarged)
        return x.min() >= 0 and y.min() >= 0 and x.max() <= width - 1 and y.max() <= height - 1

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if is_inside(middle) else (low, middle)
    return low


@pytest.mark.parametrize("box", [TransformationSet(), CONTINUOUS])
def test_a_crop_is_the_largest_part_without_outside(box):
    images = noise(2, 9, 14, 2)
    parameters = box.sample([7, 8], [2, 5]).numpy()
    warp = SpatialWarp("gather", fill="crop").along(box)
    warped = warp(images, parameters)
    np.testing.assert_allclose(SpatialWarp("op", fill="crop").along(box)(images, parameters),
                               warped, atol=1e-2)  # fmt: skip
    compiled = tf.function(lambda *given: warp(*given), jit_compile=True)
    np.testing.assert_allclose(compiled(images, parameters), warped, atol=1e-2)
    for image, rows, found in zip(images, parameters, warped):
        for row, one in zip(rows, found):
            values = dict.fromkeys(NAMES, 0.0) | {"zoom": 1.0} | dict(zip(box.names, row))
            content = oracles.homography(
                np.array([values[name] for name in NAMES], np.float64), 9, 14
            )
            share = largest_share((9, 14), content)
            assert 0.05 < share < 1
            enlarged = np.diag([1 / share, 1 / share, 1]) @ content
            np.testing.assert_allclose(one, oracles.homography_warp(image, enlarged), atol=0.05)
    untouched = np.tile(box.identity, [2, 1])
    np.testing.assert_array_equal(warp(images, untouched), images)


def test_the_gradient_of_a_crop_is_that_of_its_differences():
    image = np.random.default_rng(1).uniform(0, 255, [1, 9, 14, 2])
    row = np.array([[0.3, -0.4, 5.1, 1.13, 4.2, -3.3, 6.1, -7.2]])
    warp = SpatialWarp("gather", fill="crop").along(CONTINUOUS)
    weights = np.random.default_rng(2).normal(size=image.shape)
    total = lambda value: tf.reduce_sum(warp(tf.constant(image), value) * weights)  # noqa: E731
    with tf.GradientTape() as tape:
        value = tf.constant(row)
        tape.watch(value)
        result = total(value)
    slopes = oracles.central_differences(lambda point: float(total(tf.constant(point))), row)
    np.testing.assert_allclose(tape.gradient(result, value), slopes, rtol=1e-4)


@pytest.mark.parametrize("implementation", ["op", "gather"])
@pytest.mark.parametrize("box", [TransformationSet(), CONTINUOUS])
def test_the_nearest_pixel_is_shown_where_asked(box, implementation):
    images = noise(2, 9, 14, 2)
    parameters = box.sample([9, 8], [2, 5]).numpy()
    warp = SpatialWarp(implementation, interpolation="nearest").along(box)
    for image, rows, found in zip(images, parameters, warp(images, parameters)):
        for row, one in zip(rows, found):
            values = dict.fromkeys(NAMES, 0.0) | {"zoom": 1.0} | dict(zip(box.names, row))
            content = oracles.homography(
                np.array([values[name] for name in NAMES], np.float64), 9, 14
            )
            x, y = oracles.homography_points(9, 14, content)
            clear = (abs(x % 1 - 0.5) > 1e-3) & (abs(y % 1 - 0.5) > 1e-3)
            assert clear.mean() > 0.9
            expected = oracles.bilinear(image, np.round(x), np.round(y))
            np.testing.assert_array_equal(one.numpy()[clear], expected[clear])


def test_zooms_are_symmetric_in_their_logarithm():
    box = TransformationSet(0, 0, 0, 1.44)
    np.testing.assert_allclose(
        box.grid((1, 1, 1, 5))[:, 3], [1 / 1.44, 1 / 1.2, 1, 1.2, 1.44], rtol=1e-6
    )
    draws = box.sample([1, 2], [2000]).numpy()
    np.testing.assert_array_equal(draws, box.clip(draws))
    assert abs(np.log(draws[:, 3]).mean()) < 0.02


def test_sets_are_said_in_words():
    box = TransformationSet(3, 3, 30, 1.2, 10, 10, 20, 15, quarter_turns=True, flip=True)
    assert box.words(32, 32) == (
        "quarter turns, flips, zooms up to a factor of 1.2, shears up to 10 degrees, tilts up and "
        "down up to 20 degrees, tilts to the sides up to 15 degrees, rotations up to 30 degrees "
        "and shifts up to 3 of 32 pixels"
    )
    small = TransformationSet(0, 0, 30, 1.44, max_pitch=20, flip=True)
    assert small.amounts(0.5) == "no flips, a factor of 1.2, 10 degrees of tilt and 15 degrees"
    assert small.caption([0, 0, -4, 1.2, 20, 1]) == (
        "+0.0, +0.0 px\n-4°\nx1.20\n+20.0° pitch\nflipped"
    )


def test_they_survive_a_configuration():
    for box in (EVERYTHING, TransformationSet(max_pitch=10, field_of_view=90)):
        config = json.loads(json.dumps(tf.keras.utils.serialize_keras_object(box)))
        assert tf.keras.utils.deserialize_keras_object(config) == box
        twin = WorstOfK.from_config(json.loads(json.dumps(WorstOfK(2, box).get_config())))
        assert twin.warp.axes == box.axes
    before = {"max_tx": 1.0, "max_ty": 2.0, "max_rotation": 3.0}
    assert TransformationSet.from_config(before) == TransformationSet(1, 2, 3)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"max_zoom": 0.9}, ValueError, "^max_zoom must be at least 1, got 0.9; the nearest"),
        ({"max_shear_x": 81}, ValueError, r"^max_shear_x must be in \[0, 80\], got 81"),
        ({"max_pitch": -1}, ValueError, r"^max_pitch must be in \[0, 85\], got -1"),
        ({"field_of_view": 180}, ValueError, r"^field_of_view must be in \(0, 180\), got 180"),
        ({"flip": 2}, TypeError, "^flip must be True or False, got 2"),
        (
            {"max_zoom": 2, "own_axes": [camera.Zoom(3)]},
            ValueError, "^axes must have names of their own, got 'zoom' twice",
        ),
    ],
)  # fmt: skip
def test_refuses_bad_bounds(arguments, error, message):
    with pytest.raises(error, match=message):
        TransformationSet(**arguments)


def test_what_does_not_fit_images_is_refused():
    with pytest.raises(ValueError, match="^quarter_turns needs images that are square, got 9 x 14"):
        EXACT.check_fits(9, 14)
    with pytest.raises(
        ValueError,
        match="^max_pitch 60 and max_yaw 20 bring the horizon into images of 32 x 32 pixels; "
        r"(\d+\.?\d*) and \d+\.?\d* degrees do not\.$",
    ) as refusal:
        TransformationSet(max_pitch=60, max_yaw=20).check_fits(32, 32)
    words = str(refusal.value).split("pixels; ")[1].split()
    near = TransformationSet(max_pitch=float(words[0]), max_yaw=float(words[2]))
    near.check_fits(32, 32)
    # All depths are positive, by the oracle, up to there and not beyond.
    for box, is_fine in ((near, True), (TransformationSet(max_pitch=60, max_yaw=20), False)):
        corners = np.array([[x, y, 1] for x in (-15.5, 15.5) for y in (-15.5, 15.5)]).T
        rows = box.grid((2, 2, 31, 2, 2))
        depths = [
            (np.linalg.inv(oracles.homography([*row[:3], 1, 0, 0, *row[3:], 0, 0], 32, 32))
             @ corners)[2].min()
            for row in rows.astype(np.float64)
        ]  # fmt: skip
        assert (min(depths) > 0.045) == is_fine
        assert is_fine or min(depths) < 0.05
