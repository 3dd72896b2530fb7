"""Accuracy against what it costs, and against the regularizer's weight."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatial_keras.figures import names as point_names
from spatial_keras.figures import style

_LINE_STYLES = ("-", "--", ":", "-.")
_ROW_OF_NAMES = 0.14  # inches
_LONGEST_ROW = 45  # letters


@style.styled
def cost(
    names: Sequence[str],
    seconds: Sequence[float] | np.ndarray,
    accuracies: Sequence[float] | np.ndarray,
    seconds_errors: Sequence[float] | np.ndarray | None = None,
    accuracy_errors: Sequence[float] | np.ndarray | None = None,
    lines: Sequence[Sequence[int]] = (),
) -> Figure:
    """Draws a point for each defense: seconds per training step against grid accuracy.

    Args:
      names: of the defenses, [n].
      seconds: per step, positive, [n].
      accuracies: grid accuracy in %, [n].
      seconds_errors: standard errors, [n]; 0 where there is none.
      accuracy_errors: likewise.
      lines: numbers of points to join, such as Wo-k of one regularizer in the order of k.

    Returns:
      A figure of a column's width.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    zeros = np.zeros(len(seconds))
    _, seconds, accuracies, seconds_errors, accuracy_errors = style.check(
        names=names,
        seconds=seconds,
        accuracies=accuracies,
        seconds_errors=zeros if seconds_errors is None else seconds_errors,
        accuracy_errors=zeros if accuracy_errors is None else accuracy_errors,
    )
    figure = style.new_figure(style.COLUMN, 3.3)
    axis = figure.subplots()
    axis.set_xscale("log")
    # Room for the names; by hand, for a single point too.
    room = max((seconds.max() / seconds.min()) ** 0.4, 1.5)
    axis.set_xlim(seconds.min() / room, seconds.max() * room)
    axis.set_ymargin(0.12)
    joined = {point for line in lines for point in line}
    alone = [[point] for point in range(len(names)) if point not in joined]
    rows = [*map(list, lines), *alone]
    for number, points in enumerate(rows):
        axis.errorbar(
            seconds[points], accuracies[points], accuracy_errors[points], seconds_errors[points],
            capsize=1.5, elinewidth=0.7, linestyle="-", **style.mark(number),
        )  # fmt: skip
    _plain_logarithms(axis)
    axis.grid(True)
    axis.set_axisbelow(True)
    axis.set_xlabel("training time, seconds per step")
    axis.set_ylabel("grid accuracy, %")
    centers = np.stack([seconds, accuracies], axis=1)
    errors = np.stack([seconds_errors, accuracy_errors], axis=1)
    drawn = [centers[points] for points in rows]
    for direction in np.eye(2):
        drawn += [*np.stack([centers - errors * direction, centers + errors * direction], axis=1)]
    point_names.write(axis, names, centers, drawn)
    return figure


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Accuracies over a number, such as the regularizer's weight lambda.

    Attributes:
      name: of the curve.
      group: curves of one group have one colour.
      x: the numbers, ascending, at least 0, [k].
      grid: grid accuracies in % and their standard errors (0 where there is none), [k, 2].
      natural: natural accuracies, likewise.
    """

    name: str
    group: str
    x: np.ndarray
    grid: np.ndarray
    natural: np.ndarray


@style.styled
def lambda_curves(curves: Sequence[Curve]) -> Figure:
    """Draws grid accuracy, above, and natural accuracy, below, against lambda.

    Args:
      curves: one line each.

    Returns:
      A figure of a column's width; lambda is on a logarithmic axis, or, if one is 0, on one that
      is linear below the smallest other.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    return _accuracies_over(curves, "weight of the regularizer, λ")


@style.styled
def sample_efficiency(curves: Sequence[Curve]) -> Figure:
    """Draws grid accuracy, above, and natural accuracy, below, against the training images.

    Args:
      curves: one line for each defense; x is the number of training images.

    Returns:
      A figure of a column's width; the number of images is on a logarithmic axis.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    return _accuracies_over(curves, "training images")


@style.styled
def training_cost(curves: Sequence[Curve]) -> Figure:
    """Draws grid accuracy, above, and natural accuracy, below, against the cost of training.

    Args:
      curves: one line for each recipe; x is the cost in thousands of network passes.

    Returns:
      A figure of a column's width; the cost is on a logarithmic axis.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    return _accuracies_over(curves, "training, thousands of network passes for an image")


def _accuracies_over(curves: Sequence[Curve], label: str) -> Figure:
    style.check(curves=[curve.name for curve in curves])
    for curve in curves:
        style.check(x=curve.x, grid=curve.grid, natural=curve.natural)
    figure = style.new_figure(style.COLUMN, 3.9)
    upper, lower = figure.subplots(2, 1, sharex=True)
    _scale(lower, np.concatenate([curve.x for curve in curves]))
    groups = list(dict.fromkeys(curve.group for curve in curves))
    seen = dict.fromkeys(groups, 0)
    for number, curve in enumerate(curves):
        look = {
            "color": style.PALETTE[groups.index(curve.group) % len(style.PALETTE)],
            "marker": style.MARKERS[number % len(style.MARKERS)],
            "linestyle": _LINE_STYLES[seen[curve.group] % len(_LINE_STYLES)],
        }
        seen[curve.group] += 1
        for axis, values in ((upper, curve.grid), (lower, curve.natural)):
            mean, error = np.transpose(values)
            axis.errorbar(
                curve.x, mean, error, label=curve.name, capsize=1.5, elinewidth=0.7, **look
            )
    for axis, name in ((upper, "grid"), (lower, "natural")):
        axis.grid(True)
        axis.set_axisbelow(True)
        axis.set_ylabel(f"{name} accuracy, %")
    lower.set_xlabel(label)
    _name_curves(figure, *upper.get_legend_handles_labels())
    return figure


def _scale(axis: Axes, x: np.ndarray) -> None:
    positive = x[x > 0]
    if len(positive) and positive.size < x.size:
        axis.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
    elif len(positive):
        axis.set_xscale("log")
    # The numbers themselves, as far as there is room.
    ticks = np.unique(x)
    axis.set_xticks(ticks[:: -(-len(ticks) // 9)])
    axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())


def _plain_logarithms(axis: Axes) -> None:
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())


def _name_curves(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Writes the names below, as many side by side as there is room for."""
    names = [textwrap.fill(name, _LONGEST_ROW) for name in names]
    for columns in (3, 2, 1):
        legend = figure.legend(handles, names, loc="outside lower center", ncols=columns)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    rows = -(-len("\n".join(names).splitlines()) // columns)
    figure.set_figheight(figure.get_figheight() + _ROW_OF_NAMES * rows)
