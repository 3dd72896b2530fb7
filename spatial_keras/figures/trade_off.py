"""The no-trade-off theorem: what an adversary does to points in the plane, and what it costs."""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from spatial_keras.figures import style

_GREY = "#aaaaaa"


@dataclasses.dataclass(frozen=True, eq=False)
class Adversary:
    """An adversary on n points, and the predictors that it calls for.

    Attributes:
      name: what it is.
      reachable: whether it may turn the point of the row into that of the column, bool [n, n].
      natural: the label of the natural minimizer, 0 or 1, [n].
      robust: that of the robust minimizer, [n].
      curve: (natural error, robust error), in [0, 1], from one minimizer to the other, [k, 2].
    """

    name: str
    reachable: np.ndarray
    natural: np.ndarray
    robust: np.ndarray
    curve: np.ndarray


@style.styled
def no_trade_off(
    points: np.ndarray, masses: np.ndarray, adversaries: Sequence[Adversary]
) -> Figure:
    """Draws each adversary in the plane, and for all of them natural against robust error.

    Args:
      points: in the plane, [n, 2].
      masses: P(x), [n]; likelier points are larger.
      adversaries: a panel and a curve each.

    Returns:
      A figure of a page's width. Grey lines join points of different labels that the adversary
      turns into each other; crosses are on points whose label the robust minimizer gives up.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    points, masses = style.check(points=points, masses=masses)
    style.check(adversaries=[one.name for one in adversaries])
    for one in adversaries:
        style.check(curve=one.curve)
        style.check(points=points, reachable=one.reachable, natural=one.natural, robust=one.robust)
    count = len(adversaries)
    figure = style.new_figure(style.PAGE, 2.15)
    *maps, last = figure.subplots(1, count + 1, width_ratios=[1] * count + [1.25])
    for number, (axis, one) in enumerate(zip(maps, adversaries)):
        letter = f"({string.ascii_lowercase[number]})"
        _draw_map(axis, points, masses, one)
        axis.set_title(f"{letter} {one.name}")
        curve = 100 * np.asarray(one.curve)
        # Marks at the ends, the two minimizers.
        last.plot(*curve.T, markevery=[0, -1], label=letter, **style.mark(number))
        last.annotate(letter, curve[-1], (4, 3), textcoords="offset points")
    last.set_xlabel("natural error, %")
    last.set_ylabel("worst-case error, %")
    last.set_ylim(0, 108)
    last.xaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    last.grid(True)
    last.set_axisbelow(True)
    figure.legend(handles=_keys(), loc="outside lower left", ncols=4)
    return figure


def _draw_map(axis: Axes, points: np.ndarray, masses: np.ndarray, one: Adversary) -> None:
    natural, given_up = np.asarray(one.natural), np.not_equal(one.natural, one.robust)
    conflicts = [
        points[[i, j]] for i, j in np.argwhere(one.reachable) if i < j and natural[i] != natural[j]
    ]
    # Thinner where there are many.
    width = 0.8 if len(conflicts) <= len(points) else 0.2
    axis.add_collection(LineCollection(conflicts, colors=_GREY, linewidths=width, zorder=1))
    sizes = 30 * masses / masses.max() + 7
    for label in (0, 1):
        rows = natural == label
        look = _of_label(label)
        axis.scatter(
            *points[rows].T, s=sizes[rows], c=look["color"], marker=look["marker"], linewidths=0
        )
    axis.scatter(*points[given_up].T, s=12, c="black", marker="x", linewidths=0.8, zorder=3)
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.margins(0.08)


def _of_label(label: int) -> dict[str, str]:
    # Neither the colours nor the marks of right and wrong.
    return {"color": style.PALETTE[(5, 4)[label]], "marker": "os"[label]}


def _keys() -> list[Line2D]:
    labels = [
        Line2D([], [], linestyle="", label=f"label {label} likelier", **_of_label(label))
        for label in (0, 1)
    ]
    line = Line2D([], [], color=_GREY, linewidth=0.8, label="turned into each other")
    cross = Line2D([], [], linestyle="", color="black", marker="x", label="given up when robust")
    return [*labels, line, cross]
