"""Names stay beside their points, within the frame, off each other and off the marks."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from spatial_keras.figures import names, style


def written(points, lines=()):
    figure = style.new_figure(3.3, 3)
    axis = figure.subplots()
    axis.set(xlim=(0, 1), ylim=(0, 1))
    labels = [f"name {number}" for number in range(len(points))]
    names.write(axis, labels, np.array(points), lines)
    figure.draw_without_rendering()
    texts = [text for text in axis.texts if text.get_text()]
    assert [text.get_text() for text in texts] == labels
    return axis, [Text.get_window_extent(text) for text in texts]


@pytest.mark.parametrize("seed", range(3))
def test_names_cover_neither_each_other_nor_points(seed):
    points = 0.15 + 0.7 * np.random.default_rng(seed).random([10, 2])
    points[1] = points[0] + 0.01  # two close together
    axis, boxes = written(points)
    for first, second in itertools.combinations(boxes, 2):
        assert Bbox.intersection(first, second) is None
    frame = axis.get_window_extent()
    for box, center in itertools.product(boxes, axis.transData.transform(points)):
        assert not box.contains(*center)
        assert frame.contains(*box.min) and frame.contains(*box.max)


def test_a_name_with_room_stands_close_to_the_right_without_a_line():
    axis, (box,) = written([[0.5, 0.5]])
    x, y = axis.transData.transform([0.5, 0.5])
    scale = axis.figure.dpi / 72
    assert box.x0 == pytest.approx(x + 4 * scale, abs=1)
    assert box.y0 < y < box.y1
    assert len(axis.texts) == 1


def test_a_name_avoids_a_line():
    line = np.array([[0.5, 0.5], [1, 0.5]])
    axis, (box,) = written([[0.5, 0.5]], [line])
    _, y = axis.transData.transform([0.5, 0.5])
    right = box.x0 > axis.transData.transform([0.5, 0.5])[0]
    assert not (right and box.y0 < y < box.y1)


def test_a_name_far_off_is_led_to_its_point():
    crowd = [[0.5 + dx, 0.5 + dy] for dx in (-0.03, 0, 0.03) for dy in (-0.03, 0, 0.03)]
    axis, boxes = written(crowd)
    leaders = [text for text in axis.texts if not text.get_text()]
    assert leaders and all(tuple(one.xy) in {tuple(point) for point in crowd} for one in leaders)
    for first, second in itertools.combinations(boxes, 2):
        assert Bbox.intersection(first, second) is None
