from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from spatial_keras import SpatialWarp, TransformationSet
from tests import oracles
from tests.pairwise import pairwise

COMPOSITIONS = ("sequential", "joint")
IMPLEMENTATIONS = ("op", "gather")
SIZES = [(32, 32, 3), (28, 28, 1), (33, 20, 4), (20, 33, 2), (1, 1, 1), (1, 7, 1), (5, 2, 3)]
ORACLES = {"sequential": oracles.canvas_warp, "joint": oracles.joint_warp}
REFERENCE = np.load(pathlib.Path(__file__).parents[1] / "reference" / "warp_cases.npz")

both_compositions = pytest.mark.parametrize("composition", COMPOSITIONS)
both_implementations = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
BOTH = {"composition": COMPOSITIONS, "implementation": IMPLEMENTATIONS}


def noise(*shape):
    """Grey levels without any smoothness, so that an error of a pixel shows."""
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def draw(*shape, pixels=10.0, degrees=180.0):
    uniform = np.random.default_rng(1).uniform(-1, 1, (*shape, 3))
    return (uniform * [pixels, pixels, degrees]).astype(np.float32)


def spot(height, width, row, column):
    image = np.zeros((height, width, 1), np.float32)
    image[row, column] = 255
    return image


def borders():
    """A full image, a frame and the four corners: [6, 9, 14, 1]."""
    frame = np.pad(np.zeros((7, 12, 1), np.float32), [(1, 1), (1, 1), (0, 0)], constant_values=255)
    corners = [spot(9, 14, row, column) for row in (0, -1) for column in (0, -1)]
    return np.stack([np.full_like(frame, 255), frame, *corners])


@pytest.mark.parametrize("name, xla", [("op", False), ("gather", False), ("gather", True)])
def test_reference_values(name, xla):
    warp = tf.function(SpatialWarp(name), jit_compile=xla)
    warped = warp(REFERENCE["images"], REFERENCE["parameters"])
    np.testing.assert_allclose(warped, REFERENCE["warped"], atol=1e-2, rtol=0)


def test_addons_on_a_padded_canvas():
    tfa_image = pytest.importorskip("tensorflow_addons").image
    images, parameters = noise(10, 32, 32, 3), draw(10)
    canvas = tf.pad(images, [[0, 0], [16, 16], [16, 16], [0, 0]])
    canvas = tfa_image.rotate(canvas, np.radians(parameters[:, 2]), "bilinear")
    canvas = tfa_image.translate(canvas, parameters[:, :2], "bilinear")
    expected = canvas[:, 16:-16, 16:-16]
    np.testing.assert_allclose(SpatialWarp()(images, parameters), expected, atol=1e-2)


@pairwise(
    composition=COMPOSITIONS,
    size=SIZES,
    batch=[1, 5],
    **{
        "implementation, dtype, rounding": [
            ("op", np.float32, 1e-2),
            ("gather", np.float32, 1e-2),
            ("gather", np.float64, 1e-9),
        ]
    },
)
def test_equals_the_oracle(composition, implementation, dtype, rounding, size, batch):
    images, parameters = noise(batch, *size), draw(batch)
    warped = SpatialWarp(implementation, composition)(images.astype(dtype), parameters)
    expected = ORACLES[composition](images, parameters)
    np.testing.assert_allclose(warped, expected, atol=rounding, rtol=0)


@pairwise(
    composition=COMPOSITIONS,
    images=[noise(40, 32, 32, 3), np.repeat(borders(), 10, axis=0)],
    limits=[(3, 30), (0, 180), (0.9, 0), (10, 180)],
)
def test_implementations_agree(composition, images, limits):
    parameters = draw(len(images), pixels=limits[0], degrees=limits[1])
    one, other = (SpatialWarp(name, composition)(images, parameters) for name in IMPLEMENTATIONS)
    np.testing.assert_allclose(one, other, atol=1e-3, rtol=0)


@both_compositions
def test_borders_fade_as_in_the_oracle(execution, composition):
    limits = [(0.9, 0), (0, 180), (3, 30)]
    images = np.tile(np.repeat(borders(), 5, axis=0), (len(limits), 1, 1, 1))
    parameters = np.concatenate([draw(30, pixels=p, degrees=d) for p, d in limits])
    warped = execution(SpatialWarp(composition=composition))(images, parameters)
    np.testing.assert_allclose(warped, ORACLES[composition](images, parameters), atol=2e-3)


def onto_whole_pixels(turn):
    """Whole shifts and turns that bring a pixel onto a whole column or row, but for rounding."""
    rng = np.random.default_rng(2)
    x, y, target = rng.integers(-16, 16, (3, 64, 10)) + 0.5
    ratio = np.clip(target / np.hypot(x, y), -1, 1)
    # The pixel's input column is hypot(x, y) cos(rotation + arctan2(y, x)), its row the sine's.
    onto = np.degrees(np.where(rng.random((64, 10)) < 0.5, np.arccos(ratio), np.arcsin(ratio)))
    turns = {
        "quarter": 90 * rng.integers(-2, 3, (64, 10)),
        "column or row": (onto - np.degrees(np.arctan2(y, x)) + 180) % 360 - 180,
    }
    return np.dstack([rng.integers(-3, 4, (64, 10, 2)), turns[turn]]).astype(np.float32)


@both_compositions
@pytest.mark.parametrize("turn", ["random", "quarter", "column or row"])
def test_xla_is_never_off_by_a_pixel(composition, turn):
    # It was, by up to 60 grey levels: floor(x) and x - floor(x) came from two roundings of x.
    sample = TransformationSet().sample([1, 3], [64, 10]).numpy()
    parameters = sample if turn == "random" else onto_whole_pixels(turn)
    images, warp = noise(64, 32, 32, 3), SpatialWarp(composition=composition)
    compiled = tf.function(warp, jit_compile=True)(images, parameters)
    np.testing.assert_allclose(compiled, warp(images, parameters), atol=3e-3, rtol=0)


@pairwise(**BOTH, dtype=[np.uint8, np.float32])
def test_identity_is_exact(composition, implementation, dtype):
    images = noise(3, 9, 14, 3).astype(dtype)
    warped = SpatialWarp(implementation, composition)(images, np.zeros((3, 3), np.float32))
    np.testing.assert_array_equal(warped, images.astype(np.float32))


@both_compositions
def test_whole_shifts_are_slices(execution, composition):
    images = noise(1, 14, 9, 3)
    shifts = [(0, 0), (1, 0), (0, 1), (-3, 2), (4, -5), (-8, -13), (9, 14), (-400, 0)]
    parameters = np.array([[(tx, ty, 0) for tx, ty in shifts]], np.float32)
    warped = execution(SpatialWarp(composition=composition))(images, parameters)
    for (tx, ty), shifted in zip(shifts, warped[0]):
        expected = np.zeros_like(images[0])
        expected[max(ty, 0) : max(14 + ty, 0), max(tx, 0) : max(9 + tx, 0)] = images[0][
            max(-ty, 0) : max(14 - ty, 0), max(-tx, 0) : max(9 - tx, 0)
        ]
        np.testing.assert_array_equal(shifted, expected)


@pairwise(**BOTH, **{"size, quarters": [((8, 8), 1), ((9, 9), -1), ((8, 8), 2), ((8, 13), -2)]})
def test_quarter_turns_are_rot90(composition, implementation, size, quarters):
    images, parameters = noise(2, *size, 3), np.float32([[0, 0, 90 * quarters]] * 2)
    warped = SpatialWarp(implementation, composition)(images, parameters)
    np.testing.assert_allclose(warped, np.rot90(images, quarters, axes=(1, 2)), atol=1e-3)


@both_compositions
@both_implementations
def test_moves_right_down_and_counter_clockwise(composition, implementation):
    parameters = np.float32([(2, 0, 0), (0, 3, 0), (0, 0, 90), (1, 2, -90)])
    warped = SpatialWarp(implementation, composition)([spot(11, 11, 5, 8)] * 4, parameters)
    expected = [spot(11, 11, *place) for place in ((5, 10), (8, 8), (2, 5), (10, 6))]
    np.testing.assert_allclose(warped, expected, atol=1e-3)


@both_compositions
@both_implementations
def test_several_warps_of_each_image(composition, implementation):
    images, parameters = noise(4, 9, 14, 3), draw(4, 6)
    warp = SpatialWarp(implementation, composition)
    one_by_one = [warp(images, parameters[:, k]) for k in range(6)]
    np.testing.assert_allclose(
        warp(images, parameters), np.stack(one_by_one, axis=1), atol=1e-3, rtol=0
    )


@both_implementations
def test_compositions_agree_on_whole_shifts_only(implementation):
    images, parameters = noise(20, 16, 11, 3), draw(20)
    sequential, joint = (SpatialWarp(implementation, name) for name in COMPOSITIONS)
    assert np.max(np.abs(sequential(images, parameters) - joint(images, parameters))) > 10
    parameters[:, :2] = np.round(parameters[:, :2])
    np.testing.assert_array_equal(sequential(images, parameters), joint(images, parameters))


@both_compositions
def test_turns_compose_and_invert_on_smooth_images(composition):
    y, x = np.mgrid[:33, :33].astype(np.float32) - 16
    smooth = 255 * np.exp(-((x - 3) ** 2 + 2 * (y + 2) ** 2) / 60)[None, ..., None]

    def turn(image, degrees):
        return SpatialWarp(composition=composition)(image, np.float32([[0, 0, degrees]]))

    assert np.max(np.abs(turn(smooth, 35) - smooth)) > 60
    np.testing.assert_allclose(turn(turn(smooth, 35), -35), smooth, atol=6)
    np.testing.assert_allclose(turn(turn(smooth, 35), 20), turn(smooth, 55), atol=6)


@pairwise(
    **BOTH,
    **{
        "dtype, output, rounding": [
            ("uint8", "float32", 1e-2),
            ("int32", "float32", 1e-2),
            ("float16", "float16", 0.07),
            ("bfloat16", "bfloat16", 0.6),
            ("float64", "float64", 1e-2),
        ]
    },
)
def test_dtypes(composition, implementation, dtype, output, rounding):
    images, parameters = tf.cast(noise(3, 9, 14, 3), dtype), draw(3)
    warped = SpatialWarp(implementation, composition)(images, parameters)
    assert warped.dtype == output
    expected = ORACLES[composition](tf.cast(images, tf.float64).numpy(), parameters)
    np.testing.assert_allclose(tf.cast(warped, tf.float64), expected, atol=rounding)


@both_compositions
def test_mixed_precision_leaves_grey_levels_alone(composition):
    images, parameters = noise(3, 9, 14, 3), draw(3)
    plain = SpatialWarp(composition=composition)(images, parameters)
    mixed = SpatialWarp(composition=composition, dtype="mixed_float16")(images, parameters)
    assert mixed.dtype == tf.float32
    np.testing.assert_array_equal(mixed, plain)


@both_compositions
def test_gradients_are_finite_differences(execution, composition):
    images, parameters = noise(2, 6, 5, 1).astype(np.float64), draw(2, 3, pixels=2.0)
    parameters = parameters.astype(np.float64)
    weights = np.random.default_rng(3).normal(size=(2, 3, 6, 5, 1))

    @execution
    def gradients(images, parameters):
        with tf.GradientTape() as tape:
            tape.watch([images, parameters])
            warped = SpatialWarp(composition=composition)(images, parameters)
            value = tf.reduce_sum(warped * weights)
        return tape.gradient(value, [images, parameters])

    def value(images, parameters):
        warped = [ORACLES[composition](images, parameters[:, draw]) for draw in range(3)]
        return np.sum(np.stack(warped, axis=1) * weights)

    by_image, by_parameters = gradients(tf.constant(images), tf.constant(parameters))
    expected = oracles.central_differences(lambda x: value(x, parameters), images)
    np.testing.assert_allclose(by_image, expected, atol=1e-6)
    expected = oracles.central_differences(lambda t: value(images, t), parameters)
    np.testing.assert_allclose(by_parameters, expected, rtol=1e-5, atol=1e-4)


@both_compositions
def test_gradient_at_the_identity_is_one_sided(composition):
    images, parameters = noise(1, 6, 5, 1).astype(np.float64), tf.zeros([1, 3], tf.float64)
    weights = np.random.default_rng(4).normal(size=(1, 6, 5, 1))
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        warped = SpatialWarp(composition=composition)(images, parameters)
        value = tf.reduce_sum(warped * weights)
    for axis, gradient in enumerate(tape.gradient(value, parameters)[0, :2]):
        # Content that moves left or up by a little: every pixel mixes with its right or lower one.
        step = -1e-6 * np.eye(3)[None, axis]
        difference = ORACLES[composition](images, step) - images
        np.testing.assert_allclose(gradient, np.sum(difference * weights) / -1e-6, rtol=1e-6)


@both_compositions
def test_gradient_by_images_is_the_transpose(composition):
    images, other, weights = np.random.default_rng(5).normal(size=(3, 4, 9, 14, 2))
    images, parameters, warp = tf.constant(images), draw(4), SpatialWarp(composition=composition)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.reduce_sum(warp(images, parameters) * weights)
    transposed = tape.gradient(value, images)
    np.testing.assert_allclose(
        np.sum(warp(other, parameters) * weights), np.sum(other * transposed), rtol=1e-10
    )


def test_compute_output_shape():
    for batch, draws in ((None, ()), (5, ()), (5, (7,))):
        shape = SpatialWarp().compute_output_shape((batch, 8, 9, 3), (batch, *draws, 3))
        assert shape == (batch, *draws, 8, 9, 3)


@pytest.mark.parametrize("names, draws", [(("op", "sequential"), ()), (("gather", "joint"), (2,))])
def test_in_a_functional_model_that_is_saved(tmp_path, names, draws):
    inputs = [tf.keras.Input((9, 14, 3), dtype="uint8"), tf.keras.Input((*draws, 3))]
    model = tf.keras.Model(inputs, SpatialWarp(*names, name="warp")(*inputs))
    assert tuple(model.output_shape) == (None, *draws, 9, 14, 3)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    config = loaded.get_layer("warp").get_config()
    assert config == model.get_layer("warp").get_config()
    assert (config["implementation"], config["composition"]) == names
    arguments = [noise(4, 9, 14, 3).astype(np.uint8), draw(4, *draws)]
    np.testing.assert_array_equal(loaded(arguments), SpatialWarp(*names)(*arguments))


def test_refuses_unknown_names():
    for argument, given, meant in [
        ("implementation", "gathre", "gather"),
        ("composition", "sequental", "sequential"),
        ("fill", "reflekt", "reflect"),
        ("interpolation", "neerest", "nearest"),
    ]:
        with pytest.raises(
            ValueError, match=f"^unknown .*{argument} '{given}': did you mean '{meant}'"
        ):
            SpatialWarp(**{argument: given})


def test_refuses_wrong_shapes():
    for images, parameters, message in [
        ((8, 9, 3), (8, 3), "images must be .batch, height, width, channels. with a known number "),
        ((2, 8, 9, None), (2, 3), "images must be "),
        ((2, 8, 9, 3), (2, 2), "parameters must be .batch, 3. or .batch, k, 3., got "),
        ((2, 8, 9, 3), (3,), "parameters must be "),
    ]:
        signature = [tf.TensorSpec(images), tf.TensorSpec(parameters)]
        with pytest.raises(ValueError, match=message):
            tf.function(SpatialWarp(), input_signature=signature).get_concrete_function()


@pairwise(
    composition=COMPOSITIONS,
    fill=["black", "nearest", "reflect", "crop"],
    **{"name, xla": [("op", False), ("gather", False), ("gather", True)]},
)
def test_images_of_a_size_that_the_graph_does_not_know(composition, fill, name, xla):
    warp = SpatialWarp(name, composition, fill)
    signature = [tf.TensorSpec([None, None, None, 2]), tf.TensorSpec([None, 2, 3])]
    unknown = tf.function(warp, input_signature=signature, jit_compile=xla)
    for shape in ((3, 13, 9, 2), (2, 8, 8, 2)):
        images, parameters = noise(*shape), draw(shape[0], 2)
        expected = tf.function(warp, jit_compile=xla)(images, parameters)
        np.testing.assert_allclose(unknown(images, parameters), expected, atol=1e-3)


@both_implementations
def test_refuses_another_number_of_parameters(implementation):
    images, parameters = tf.zeros([2, 8, 9, 3]), tf.zeros([3, 3])
    with pytest.raises(ValueError, match="got 2 images and 3 rows of parameters"):
        SpatialWarp(implementation)(images, parameters)


@pairwise(**BOTH, fill=["nearest", "reflect"])
def test_fills_are_those_of_scipy(fill, implementation, composition):
    """Where the shift is whole, both compositions read once, at the same points."""
    images, parameters = noise(4, 13, 9, 2), draw(4, pixels=12.0, degrees=180.0)
    if composition == "sequential":
        parameters[:, :2] = np.round(parameters[:, :2])
    warped = SpatialWarp(implementation, composition, fill)(images, parameters)
    for image, (tx, ty, degrees), found in zip(images, parameters.astype(float), warped):
        y, x = np.mgrid[:13, :9].astype(float)
        x, y, angle = x - tx - 4, y - ty - 6, np.radians(degrees)
        points = [
            np.sin(angle) * x + np.cos(angle) * y + 6, np.cos(angle) * x - np.sin(angle) * y + 4,
        ]  # fmt: skip
        expected = [
            ndimage.map_coordinates(image[..., channel], points, order=1, mode=fill)
            for channel in range(2)
        ]
        np.testing.assert_allclose(found, np.stack(expected, axis=-1), atol=0.05)


@pytest.mark.parametrize("fill", ["nearest", "reflect", "crop"])
@both_implementations
def test_a_constant_image_stays_one_under_fills(fill, implementation):
    images, parameters = np.full([3, 9, 12, 1], 77.0, np.float32), draw(3)
    warped = SpatialWarp(implementation, fill=fill)(images, parameters)
    np.testing.assert_allclose(warped, images, atol=1e-3)
