"""Accuracy along the axes of the set of transformations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from spatial_keras.figures import style


@style.styled
def along_axes(
    curves: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
) -> Figure:
    """Draws the share of images that is still right along each axis, whatever the others.

    Args:
      curves: by the axis's label, then by the classifier's name: values of the axis, ascending, and
        the accuracy at each, in %.

    Returns:
      A figure of a page's width with a chart for each axis.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    figure = style.new_figure(style.PAGE, 2.3)
    charts = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for chart, (label, lines) in zip(charts, curves.items()):
        for (name, (values, right)), color in zip(lines.items(), style.PALETTE):
            checked = style.check(values=values, right=right)
            chart.plot(*checked, color=color, label=name)
        chart.set_xlabel(label)
        chart.set_ylim(0, 102)
        chart.grid(axis="y")
    charts[0].set_ylabel("still right, %")
    if len(lines) > 1:
        figure.legend(*charts[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@style.styled
def along_two_axes(
    right: np.ndarray, values: Sequence[Sequence[float] | np.ndarray], labels: Sequence[str]
) -> Figure:
    """Draws the share of images that is right at each pair of values of two axes.

    Args:
      right: accuracy in %, [values of the first axis, values of the second].
      values: of both axes, ascending and evenly spaced.
      labels: of both axes (`geometry.axes.Axis.label`).

    Returns:
      A figure of a column's width, with the first axis from left to right.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    first, _ = style.check(values=values[0], right=right)
    second, by_second = style.check(values=values[1], right=np.transpose(right))
    figure = style.new_figure(style.COLUMN, 3.2)
    chart = figure.subplots()
    shown = chart.pcolormesh(first, second, by_second, vmin=0, vmax=100, shading="nearest")
    chart.set_xlabel(labels[0])
    chart.set_ylabel(labels[1])
    figure.colorbar(shown, label="right, %")
    return figure
