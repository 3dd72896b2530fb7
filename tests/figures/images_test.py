"""What the figures show: the images, the names, the marks."""

import io

import numpy as np
import pytest
from matplotlib import image as matplotlib_image

from spatial_keras import figures


def draw(channels=1, number=3):
    rng = np.random.default_rng(0)
    natural = rng.uniform(-5, 260, [number, 8, 9, channels]).astype(np.float32)
    worst = natural[:, ::-1]
    captions = ["+1.5, -2.0 px\n+30°", "none", "+3.0, +3.0 px\n-12°"][:number]
    names = ["one", "two", "three"][:number]
    figure = figures.examples(
        natural, worst, captions, names, names, ["one", "one", "one"][:number]
    )
    return figure, natural, worst


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_is_shown_as_it_is(channels):
    figure, natural, worst = draw(channels)
    shown = [axis.images[0].get_array() for axis in figure.axes]
    for array, image in zip(shown, [*natural, *worst]):
        expected = np.clip(image, 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(array, expected[..., 0] if channels == 1 else expected)


def test_wrong_predictions_are_marked_and_coloured():
    figure, _, _ = draw()
    titles = [axis.title for axis in figure.axes]
    assert [title.get_text() for title in titles] == (
        ["one ✓", "two ✓", "three ✓"] + ["one ✓", "one ✗", "one ✗"]
    )
    assert [title.get_color() == figures.WRONG for title in titles] == 4 * [False] + 2 * [True]


def test_the_transformation_is_written_below():
    figure, _, _ = draw()
    below = [axis.get_xlabel() for axis in figure.axes]
    assert below[:3] == 3 * [""]
    assert below[3:] == ["+1.5, -2.0 px\n+30°", "none", "+3.0, +3.0 px\n-12°"]


def test_png_can_be_read_back():
    figure, _, _ = draw(number=1)
    pixels = matplotlib_image.imread(io.BytesIO(figures.to_png(figure)), format="png")
    assert pixels.ndim == 3 and pixels.std() > 0


def rotated(predictions=("8", "8", "3"), degrees=(-30, 0, 30), channels=1):
    images = np.random.default_rng(0).uniform(0, 255, [3, 6, 6, channels])
    return figures.rotations(images, degrees, "8", predictions), images


@pytest.mark.parametrize("channels", [1, 3])
def test_rotations_show_the_images_with_angle_and_prediction(channels):
    figure, images = rotated(channels=channels)
    for axis, image in zip(figure.axes, images):
        expected = image.astype(np.uint8)
        shown = axis.images[0].get_array()
        np.testing.assert_array_equal(shown, expected[..., 0] if channels == 1 else expected)
    assert [axis.get_title() for axis in figure.axes] == ["-30°", "0°", "+30°"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["8 ✓", "8 ✓", "3 ✗"]
    assert figure.get_suptitle().startswith("Class 8")


def test_a_wrong_rotation_has_a_thick_frame_too():
    figure, _ = rotated(predictions=("8", "aquarium_fish", "8"))
    widths = [{spine.get_linewidth() for spine in axis.spines.values()} for axis in figure.axes]
    assert all(spine.get_visible() for axis in figure.axes for spine in axis.spines.values())
    assert widths[0] == widths[2] and min(widths[1]) > 2 * max(widths[0])
    assert figure.axes[1].get_xlabel() == "aquarium\nfish ✗"


RIGHT = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 0]], bool)


def test_failures_are_sorted_by_the_fraction_wrong():
    (axis,) = figures.failures(RIGHT, [-30, -10, 10, 30]).axes
    np.testing.assert_array_equal(axis.images[0].get_array(), ~RIGHT[[1, 2, 3, 0]])


def test_failures_stand_over_their_angles_in_degrees():
    figure = figures.failures(RIGHT, [-30, -10, 10, 30])
    (axis,) = figure.axes
    assert axis.images[0].get_extent() == pytest.approx([-40, 40, 4, 0])
    assert axis.get_xlabel() == "rotation, degrees"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["wrong", "right"]
    colors = axis.images[0].cmap([0, 1])[:, :3]
    assert np.ptp(colors @ [0.2126, 0.7152, 0.0722]) > 0.4  # told apart in grey too


def test_no_images_and_nan_angles_are_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        figures.failures(np.zeros([0, 4], bool), [-30, -10, 10, 30])
    with pytest.raises(ValueError, match="values must be finite"):
        figures.failures(RIGHT, [-30, np.nan, 10, 30])
    with pytest.raises(ValueError, match="right must be as many as values"):
        figures.failures(RIGHT, [-30, 0, 30])
    with pytest.raises(ValueError, match="images must not be empty"):
        figures.rotations(np.zeros([0, 6, 6, 1]), [], "8", [])
    with pytest.raises(ValueError, match="predictions must be as many"):
        rotated(predictions=("8", "8"))


def test_a_contrast_has_a_row_for_each_classifier():
    images = np.random.default_rng(0).uniform(0, 255, [2, 8, 9, 1])
    said = {"plain": ["b", "b"], "robust": ["a", "b"]}
    figure = figures.contrast(images, images[:, ::-1], ["+8°", "-4°"], ["a", "b"], said)
    assert [axis.get_title() for axis in figure.axes] == ["a ✓", "b ✓", "b ✗", "b ✓", "a ✓", "b ✓"]
    assert [axis.get_ylabel() for axis in figure.axes][::2] == ["as they are", "plain", "robust"]
    assert [axis.get_xlabel() for axis in figure.axes][4:] == ["+8°", "-4°"]
    for axis in figure.axes[2:]:
        shown = axis.images[0].get_array()
        assert any((shown == image[::-1, :, 0].astype(np.uint8)).all() for image in images)
