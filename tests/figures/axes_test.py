"""The curves along the axes are the numbers that went in."""

import numpy as np
import pytest

from spatial_keras import figures


def test_each_axis_has_a_chart_with_a_line_for_each_classifier():
    lines = {"A": ([-1, 0, 1], [20, 90, 30]), "B": ([-1, 0, 1], [80, 95, 85])}
    figure = figures.along_axes({"tx, pixels": lines, "rotation, degrees": {**lines}})
    assert [chart.get_xlabel() for chart in figure.axes] == ["tx, pixels", "rotation, degrees"]
    for chart in figure.axes:
        for line, (values, right) in zip(chart.lines, lines.values()):
            np.testing.assert_array_equal(line.get_xydata(), np.transpose([values, right]))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["A", "B"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="right"):
        figures.along_axes({"tx": {"A": ([0, 1], [np.nan, 1])}})
