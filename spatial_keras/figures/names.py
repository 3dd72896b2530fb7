"""Names beside points, where they cover no other name, no point and, if necessary, no line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.text import Text

# Where a name may stand: its distance from the point, in points, and on which side, (x, y).
_SIDES = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1))
_PLACES = tuple((far, side) for far in (4, 8, 13, 19, 26, 34, 43) for side in _SIDES)
_HORIZONTAL = {-1: "right", 0: "center", 1: "left"}
_VERTICAL = {-1: "top", 0: "center", 1: "bottom"}
# Names stay readable on a line, so that covering one is not as bad.
_LINE_WEIGHT = 0.3
_HALO = patheffects.withStroke(linewidth=1.5, foreground="white")
# Half of the room that a name leaves to another point's mark, and how a far name's line looks.
_ROOM = 5
_LEADER = {"arrowstyle": "-", "linewidth": 0.4, "color": "#555555", "shrinkA": 0, "shrinkB": 1}


def write(
    axis: Axes, names: Sequence[str], points: np.ndarray, lines: Sequence[np.ndarray] = ()
) -> None:
    """Writes each name at the nearest place that is free, or else where it covers least.

    Args:
      axis: where the points are drawn; its limits must not change any more.
      names: [n].
      points: in the axis' coordinates, [n, 2].
      lines: what else is drawn, each in the axis' coordinates, [k, 2].
    """
    figure = axis.figure
    figure.draw_without_rendering()  # places the axis
    scale = figure.dpi / 72
    frame = axis.get_window_extent().get_points()
    centers = axis.transData.transform(points)
    marks = np.stack([centers - _ROOM * scale, centers + _ROOM * scale], axis=1)
    drawn = [_along(axis.transData.transform(line), scale) for line in lines]
    drawn = np.concatenate([*drawn, np.empty([0, 2])])
    taken = np.empty([0, 2, 2])
    for i, (name, point, center) in enumerate(zip(names, points, centers)):
        text = axis.annotate(name, point, (0, 0), "data", "offset points", fontsize=6)
        text.set(in_layout=False, path_effects=[_HALO])
        boxes = _boxes(center, Text.get_window_extent(text).size, scale)
        others = np.concatenate([taken, np.delete(marks, i, axis=0)])
        best = int(np.argmin(_covered(boxes, others, drawn, frame, scale)))
        far, (x, y) = _PLACES[best]
        text.set(position=(far * x, far * y), ha=_HORIZONTAL[x], va=_VERTICAL[y])
        if far > _PLACES[0][0]:
            axis.annotate("", point, (far * x, far * y), "data", "offset points", _LEADER)
            tip = center + far * scale * np.array([x, y])
            drawn = np.concatenate([drawn, _along(np.stack([center, tip]), scale)])
        taken = np.concatenate([taken, boxes[best : best + 1]])


def _boxes(center: np.ndarray, size: np.ndarray, scale: float) -> np.ndarray:
    """Returns a name's corners at all places in pixels, [places, 2, 2]: lower left, upper right."""
    far = np.array([far for far, _ in _PLACES])[:, None]
    sides = np.array([side for _, side in _PLACES])
    first = center + far * scale * sides - size * (1 - sides) / 2
    return np.stack([first, first + size], axis=1)


def _along(line: np.ndarray, scale: float) -> np.ndarray:
    """Returns points along a line in pixels, [k, 2], at most a point of length apart."""
    parts = [line[:1]]
    for start, stop in zip(line[:-1], line[1:]):
        count = int(np.hypot(*(stop - start)) / scale) + 2
        parts.append(np.linspace(start, stop, count))
    return np.concatenate(parts)


def _covered(
    boxes: np.ndarray, others: np.ndarray, drawn: np.ndarray, frame: np.ndarray, scale: float
) -> np.ndarray:
    """Returns the area of each box outside of the frame and over names, marks and lines."""
    outside = np.prod(boxes[:, 1] - boxes[:, 0], axis=1) - _overlaps(boxes, frame[None])[:, 0]
    inside = (drawn > boxes[:, None, 0]) & (drawn < boxes[:, None, 1])
    on_lines = inside.all(axis=-1).sum(axis=1) * scale**2
    return outside.round(3) + _overlaps(boxes, others).sum(axis=1) + _LINE_WEIGHT * on_lines


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the areas that boxes [m, 2, 2] have in common with others [n, 2, 2]: [m, n]."""
    low = np.maximum(boxes[:, None, 0], others[None, :, 0])
    high = np.minimum(boxes[:, None, 1], others[None, :, 1])
    return np.prod(np.maximum(high - low, 0), axis=-1)
