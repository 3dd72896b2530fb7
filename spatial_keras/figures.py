"""Pictures of what a classifier sees: matplotlib on plain arrays, no network in here."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

# Told apart by colour-blind readers too, and by the mark beside the prediction.
RIGHT, WRONG = "#0072b2", "#d55e00"


def examples(
    natural: np.ndarray,
    worst: np.ndarray,
    parameters: np.ndarray,
    labels: Sequence[str],
    natural_predictions: Sequence[str],
    worst_predictions: Sequence[str],
) -> Figure:
    """Draws natural images above their worst-case transformations, with the predictions.

    Args:
      natural: grey levels 0..255, [n, height, width, channels], 1 or 3 channels.
      worst: the transformed images, like `natural`.
      parameters: (tx, ty, rotation) of each, pixels and degrees, [n, 3].
      labels: the true classes' names.
      natural_predictions: the predicted classes' names for the natural images.
      worst_predictions: the predicted classes' names for the worst-case images.

    Returns:
      A figure of two rows and n columns.
    """
    number = len(natural)
    figure = Figure(figsize=(1.25 * number + 0.6, 3.5), layout="constrained")
    axes = figure.subplots(2, number, squeeze=False)
    rows = ((natural, natural_predictions), (worst, worst_predictions))
    for row, (images, predictions) in zip(axes, rows):
        for axis, image, label, prediction in zip(row, images, labels, predictions):
            _draw_image(axis, image)
            right = prediction == label
            axis.set_title(
                f"{prediction} {'✓' if right else '✗'}",
                color=RIGHT if right else WRONG,
                fontsize=10,
            )
    for axis, (tx, ty, degrees) in zip(axes[1], parameters):
        axis.set_xlabel(f"{tx:+.1f}, {ty:+.1f} px\n{degrees:+.0f}°", fontsize=8)
    axes[0, 0].set_ylabel("natural")
    axes[1, 0].set_ylabel("worst case")
    return figure


def to_png(figure: Figure) -> bytes:
    """Renders a figure as a PNG file's content."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def _draw_image(axis, image: np.ndarray) -> None:
    grey = image.shape[-1] == 1
    shown = np.clip(image, 0, 255).astype(np.uint8)
    axis.imshow(shown[..., 0] if grey else shown, cmap="gray", vmin=0, vmax=255)
    axis.set_xticks([])
    axis.set_yticks([])
