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


def test_two_axes_span_a_map():
    right = np.arange(6.0).reshape(3, 2) * 20
    figure = figures.along_two_axes(right, ([-1, 0, 1], [-5, 5]), ("tx, pixels", "pitch, degrees"))
    chart, bar = figure.axes
    (shown,) = chart.collections
    np.testing.assert_array_equal(shown.get_array(), right.T)
    assert (chart.get_xlabel(), chart.get_ylabel()) == ("tx, pixels", "pitch, degrees")
    assert chart.get_xlim() == (-1.5, 1.5) and chart.get_ylim() == (-10, 10)
    assert (shown.get_clim(), bar.get_ylabel()) == ((0, 100), "right, %")
    with pytest.raises(ValueError, match="right must be as many as values, 2, got 3"):
        figures.along_two_axes(right, ([0, 1], [0, 1]), ("a", "b"))


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="right"):
        figures.along_axes({"tx": {"A": ([0, 1], [np.nan, 1])}})
