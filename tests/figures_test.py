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
    parameters = np.array([[1.5, -2, 30], [0, 0, 0], [3, 3, -12.4]], np.float32)[:number]
    names = ["one", "two", "three"][:number]
    figure = figures.examples(
        natural, worst, parameters, names, names, ["one", "one", "one"][:number]
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
    assert below[3:] == ["+1.5, -2.0 px\n+30°", "+0.0, +0.0 px\n+0°", "+3.0, +3.0 px\n-12°"]


def test_png_can_be_read_back():
    figure, _, _ = draw(number=1)
    pixels = matplotlib_image.imread(io.BytesIO(figures.to_png(figure)), format="png")
    assert pixels.ndim == 3 and pixels.std() > 0
