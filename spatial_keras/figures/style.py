"""What all figures share: sizes, colours, marks, fonts, and how they become files."""

from __future__ import annotations

import functools
import io
import os
import pathlib
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from spatial_keras.support import files

# Widths of a column and of a page, in inches.
COLUMN, PAGE = 3.3, 6.9
# Okabe and Ito's, which colour-blind readers tell apart; without yellow, too light on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# Not as many as colours, so that a pair of both comes back late.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
# Told apart by the mark beside the prediction too.
RIGHT, WRONG = PALETTE[:2]

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.facecolor": "white",
    "savefig.dpi": 300,
    # Letters as outlines: the same everywhere, whichever fonts are there.
    "svg.fonttype": "path",
    # The same figure gives the same file.
    "svg.hashsalt": "spatial_keras",
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Has a function draw in the style of the figures, whatever the user's own."""

    @functools.wraps(draw)
    def draw_styled(*args: Any, **kwargs: Any) -> Figure:
        with matplotlib.rc_context(), _default_style():
            return draw(*args, **kwargs)

    return draw_styled


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty figure of this size in inches, which belongs to no window."""
    return Figure(figsize=(width, height), layout="constrained")


def mark(number: int) -> dict[str, str]:
    """Returns the colour and the marker of the line of this number."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def check(**arrays: Any) -> list[np.ndarray]:
    """Returns the arrays as they can be drawn.

    Raises:
      ValueError: one is empty, not finite, or as long as the first one is not.
    """
    found = {name: np.asarray(values) for name, values in arrays.items()}
    first, *_ = found
    for name, values in found.items():
        if not values.size:
            raise ValueError(f"{name} must not be empty.")
        if np.issubdtype(values.dtype, np.number) and not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity.")
        if len(values) != len(found[first]):
            raise ValueError(
                f"{name} must be as many as {first}, {len(found[first])}, got {len(values)}."
            )
    return list(found.values())


def to_png(figure: Figure, dpi: float = 110) -> bytes:
    """Renders a figure as a PNG file's content."""
    return _render(figure, "png", dpi=dpi)


def to_svg(figure: Figure) -> bytes:
    """Renders a figure as an SVG file's content."""
    return _render(figure, "svg", metadata={"Date": None})


def save(figure: Figure, folder: str | os.PathLike, name: str) -> list[pathlib.Path]:
    """Writes a figure as NAME.png (300 dots per inch) and NAME.svg, each whole or not at all.

    Args:
      figure: the figure.
      folder: is made if necessary.
      name: the files' name without its ending.

    Returns:
      The two files.
    """
    folder = pathlib.Path(folder)
    contents = {"png": to_png(figure, _STYLE["savefig.dpi"]), "svg": to_svg(figure)}
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{name}.{kind}" for kind in contents]
    for path, content in zip(written, contents.values()):
        files.write(path, functools.partial(pathlib.Path.write_bytes, data=content))
    return written


def _render(figure: Figure, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    with _default_style():
        figure.savefig(file, format=kind, **options)
    return file.getvalue()


def _default_style() -> Any:
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, **_STYLE})
