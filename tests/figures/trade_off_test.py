"""What the illustration of the theorem shows: labels, conflicts, what is given up, the curves."""

import numpy as np
import pytest

from spatial_keras import figures

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]])
MASSES = np.array([0.2, 0.3, 0.5])
CURVE = np.array([[0.3, 0.3], [0.2, 0.9]])


def adversary(name, robust, curve=CURVE):
    reachable = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], bool)
    return figures.Adversary(name, reachable, np.array([0, 1, 1]), np.array(robust), curve)


def draw():
    single = np.full([2, 2], 0.1)
    both = [adversary("one", [0, 1, 1], single), adversary("two", [0, 0, 1])]
    return figures.no_trade_off(POINTS, MASSES, both)


def test_each_label_has_its_mark_and_likelier_points_are_larger():
    figure = draw()
    zero, one = (figure.axes[0].collections[i] for i in (1, 2))
    np.testing.assert_array_equal(zero.get_offsets(), POINTS[:1])
    np.testing.assert_array_equal(one.get_offsets(), POINTS[1:])
    assert zero.get_paths()[0].vertices.shape != one.get_paths()[0].vertices.shape
    assert one.get_sizes()[0] < one.get_sizes()[1]


def test_lines_join_points_of_different_labels():
    (segment,) = draw().axes[0].collections[0].get_segments()
    np.testing.assert_array_equal(segment, POINTS[:2])


def test_crosses_are_on_what_is_given_up():
    first, second = (axis.collections[3].get_offsets() for axis in draw().axes[:2])
    assert len(first) == 0
    np.testing.assert_array_equal(second, POINTS[1:2])


def test_the_curves_are_in_percent_with_names_at_the_natural_minimizers():
    figure = draw()
    *maps, last = figure.axes
    assert [axis.get_title() for axis in maps] == ["(a) one", "(b) two"]
    for line, curve in zip(last.lines, (np.full([2, 2], 10), 100 * CURVE)):
        np.testing.assert_allclose(np.transpose(line.get_data()), curve)
    assert [(text.get_text(), *text.xy) for text in last.texts] == [
        ("(a)", pytest.approx(10), pytest.approx(10)),
        ("(b)", pytest.approx(20), pytest.approx(90)),
    ]
    assert last.get_xlabel() == "natural error, %" and last.get_ylabel() == "worst-case error, %"
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 4


def test_nothing_and_nan_are_refused():
    with pytest.raises(ValueError, match="adversaries must not be empty"):
        figures.no_trade_off(POINTS, MASSES, [])
    with pytest.raises(ValueError, match="curve must be finite"):
        figures.no_trade_off(POINTS, MASSES, [adversary("a", [0, 1, 1], CURVE * np.nan)])
    with pytest.raises(ValueError, match="robust must be as many as points"):
        figures.no_trade_off(POINTS, MASSES, [adversary("a", [0, 1])])
