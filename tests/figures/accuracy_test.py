"""What the curves show: their points, errors, names, axes."""

import numpy as np
import pytest

from spatial_keras import figures

NAMES = ["std", "KL Wo-1", "KL Wo-10", "AT Wo-10"]
SECONDS, ACCURACIES = np.array([0.03, 0.05, 0.14, 0.12]), np.array([7.0, 70.0, 91.0, 80.0])


def draw_cost(**options):
    return figures.cost(NAMES, SECONDS, ACCURACIES, **options).axes[0]


def data_of(axis):
    return [np.transpose(one.lines[0].get_data()) for one in axis.containers]


def test_wo_k_is_joined_and_the_others_stand_alone():
    found = data_of(draw_cost(lines=[[1, 2]]))
    points = np.stack([SECONDS, ACCURACIES], axis=1)
    for drawn, rows in zip(found, ([1, 2], [0], [3])):
        np.testing.assert_array_equal(drawn, points[rows])
    assert len(found) == 3


def test_each_point_has_its_name():
    axis = draw_cost()
    assert [text.get_text() for text in axis.texts if text.get_text()] == NAMES
    for text, point in zip([t for t in axis.texts if t.get_text()], zip(SECONDS, ACCURACIES)):
        assert text.xy == point
    looks = [(one.lines[0].get_color(), one.lines[0].get_marker()) for one in axis.containers]
    assert len({color for color, _ in looks}) == len({mark for _, mark in looks}) == 4


def test_the_bars_are_the_errors():
    axis = draw_cost(seconds_errors=SECONDS / 10, accuracy_errors=[1, 2, 3, 4])
    for one, x, y, error in zip(axis.containers, SECONDS, ACCURACIES, (1, 2, 3, 4)):
        horizontal, vertical = (bar.get_segments()[0] for bar in one.lines[2])
        np.testing.assert_allclose(horizontal, [[0.9 * x, y], [1.1 * x, y]])
        np.testing.assert_allclose(vertical, [[x, y - error], [x, y + error]])


def test_the_axes_have_units():
    axis = draw_cost()
    assert axis.get_xlabel() == "training time, seconds per step" and axis.get_xscale() == "log"
    assert axis.get_ylabel() == "grid accuracy, %"
    assert axis.figure.get_size_inches()[0] == pytest.approx(3.3)


def test_a_single_point_is_drawn():
    axis = figures.cost(["std"], [0.1], [7]).axes[0]
    assert axis.get_xlim()[0] < 0.1 < axis.get_xlim()[1]
    assert axis.texts[0].get_text() == "std"


def curve(name, group, lambdas):
    errors = np.full(len(lambdas), 0.5)
    grid, natural = 80 + np.sqrt(lambdas), 98 - np.sqrt(lambdas)
    return figures.Curve(
        name, group, np.array(lambdas), np.stack([grid, errors], 1), np.stack([natural, errors], 1)
    )


def draw_curves(zero=False):
    weights = [0, 1, 8] if zero else [0.5, 1, 8]
    curves = [
        curve("KL, rob", "KL", weights),
        curve("KL, nat", "KL", [1, 8]),
        curve("ALP, rob", "ALP", [1, 4]),
    ]
    return figures.lambda_curves(curves), curves


def test_grid_accuracy_is_above_and_natural_below():
    figure, curves = draw_curves()
    upper, lower = figure.axes
    for axis, name in ((upper, "grid"), (lower, "natural")):
        assert axis.get_ylabel() == f"{name} accuracy, %"
        for drawn, one in zip(data_of(axis), curves):
            expected = np.stack([one.x, getattr(one, name)[:, 0]], axis=1)
            np.testing.assert_array_equal(drawn, expected)
    assert lower.get_xlabel() == "weight of the regularizer, λ"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [one.name for one in curves]


@pytest.mark.parametrize("words", [1, 3, 5, 8, 15])
def test_names_of_any_length_are_within_the_figure(words):
    curves = [curve(f"wo10={i} " * words, "KL", [1.0, 2.0]) for i in range(4)]
    figure = figures.training_cost(curves)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_a_group_has_one_colour_and_its_lines_differ_otherwise():
    figure, _ = draw_curves()
    lines = [one.lines[0] for one in figure.axes[0].containers]
    colors, marks, styles = (
        [getattr(line, f"get_{name}")() for line in lines]
        for name in ("color", "marker", "linestyle")
    )
    assert colors[0] == colors[1] != colors[2]
    assert len(set(marks)) == 3 and styles[0] != styles[1]


def test_sample_efficiency_is_over_the_number_of_images():
    curves = [curve("KL", "KL", [500, 1000, 5000]), curve("AT", "AT", [500, 1000, 5000])]
    upper, lower = figures.sample_efficiency(curves).axes
    assert lower.get_xlabel() == "training images" and lower.get_xscale() == "log"
    assert [text.get_text() for text in lower.get_xticklabels()] == ["500", "1000", "5000"]
    for drawn, one in zip(data_of(upper), curves):
        np.testing.assert_array_equal(drawn, np.stack([one.x, one.grid[:, 0]], axis=1))


@pytest.mark.parametrize("zero", [False, True])
def test_the_ticks_are_the_weights(zero):
    figure, _ = draw_curves(zero)
    axis = figure.axes[1]
    assert axis.get_xscale() == ("symlog" if zero else "log")
    texts = [text.get_text() for text in axis.get_xticklabels()]
    assert texts == ["0" if zero else "0.5", "1", "4", "8"]


def test_nothing_and_nan_are_refused():
    with pytest.raises(ValueError, match="names must not be empty"):
        figures.cost([], [], [])
    with pytest.raises(ValueError, match="accuracies must be finite"):
        figures.cost(["a"], [1.0], [np.nan])
    with pytest.raises(ValueError, match="seconds_errors must be as many as names"):
        figures.cost(["a"], [1.0], [1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="curves must not be empty"):
        figures.lambda_curves([])
    with pytest.raises(ValueError, match="natural must be finite"):
        one = curve("a", "a", [1.0])
        figures.lambda_curves([figures.Curve("a", "a", one.x, one.grid, one.grid * np.nan)])
