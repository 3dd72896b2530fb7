"""Pictures of what a classifier sees, and the map of the rotations that break it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colors, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spatial_keras.figures import style

_PALE = "#f0f0f0"


@style.styled
def examples(
    natural: np.ndarray,
    worst: np.ndarray,
    captions: Sequence[str],
    labels: Sequence[str],
    natural_predictions: Sequence[str],
    worst_predictions: Sequence[str],
) -> Figure:
    """Draws natural images above their worst-case transformations, with the predictions.

    Args:
      natural: pixel values 0..255, [n, height, width, channels], 1 or 3 channels.
      worst: the transformed images, like `natural`.
      captions: the transformation of each in words (`TransformationSet.caption`), [n].
      labels: the true classes' names.
      natural_predictions: the predicted classes' names for the natural images.
      worst_predictions: the predicted classes' names for the worst-case images.

    Returns:
      A figure of two rows and n columns.
    """
    rows = {
        "natural": (natural, natural_predictions),
        "worst case": (worst, worst_predictions),
    }
    return _rows(rows, labels, captions)


@style.styled
def contrast(
    natural: np.ndarray,
    turned: np.ndarray,
    captions: Sequence[str],
    labels: Sequence[str],
    predictions: Mapping[str, Sequence[str]],
) -> Figure:
    """Draws images that all classifiers have right, above what each says of them transformed.

    Args:
      natural: pixel values 0..255, [n, height, width, channels], 1 or 3 channels.
      turned: the transformed images, like `natural`.
      captions: the transformation of each in words (`TransformationSet.caption`), [n].
      labels: the true classes' names, which all classifiers predict for the natural images.
      predictions: by the classifiers' names, the predicted classes' names for the transformed
        images.

    Returns:
      A figure of a row for the natural images, one for each classifier, and n columns.
    """
    rows = {"as they are": (natural, labels)}
    rows.update((name, (turned, predicted)) for name, predicted in predictions.items())
    return _rows(rows, labels, captions)


def _rows(
    rows: Mapping[str, tuple[np.ndarray, Sequence[str]]],
    labels: Sequence[str],
    captions: Sequence[str],
) -> Figure:
    """Draws rows of images with their predictions, by the rows' names."""
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    # Of S beyond the paper's, captions have more than two lines.
    height = 1.6 * len(rows) + 0.3 + 0.17 * max(0, lines - 2)
    figure = style.new_figure(1.25 * len(labels) + 0.6, height)
    axes = figure.subplots(len(rows), len(labels), squeeze=False)
    for row, (name, (images, predictions)) in zip(axes, rows.items()):
        row[0].set_ylabel(name, fontsize=10)
        for axis, image, label, prediction in zip(row, images, labels, predictions):
            _draw_image(axis, image)
            right = prediction == label
            axis.set_title(_marked(prediction, right), color=_color(right), fontsize=10)
    for axis, caption in zip(axes[-1], captions):
        axis.set_xlabel(caption, fontsize=8)
    return figure


@style.styled
def rotations(
    images: np.ndarray,
    degrees: Sequence[float] | np.ndarray,
    label: str,
    predictions: Sequence[str],
) -> Figure:
    """Draws an image over its rotations, each with the prediction; wrong ones framed and crossed.

    Args:
      images: the rotated images, pixel values 0..255, [n, height, width, channels]; 1 or 3
        channels.
      degrees: the rotations, counter-clockwise, [n].
      label: the true class's name.
      predictions: the predicted classes' names, [n].

    Returns:
      A figure of a page's width and one row of n images.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    images, degrees, _ = style.check(images=images, degrees=degrees, predictions=predictions)
    figure = style.new_figure(style.PAGE, style.PAGE / len(images) + 0.55)
    axes = figure.subplots(1, len(images), squeeze=False)[0]
    for axis, image, angle, prediction in zip(axes, images, degrees, predictions):
        right = prediction == label
        _draw_image(axis, image)
        for spine in axis.spines.values():
            spine.set(visible=True, color=_color(right), linewidth=0.6 if right else 2.4)
        axis.set_title(f"{angle:+.3g}°" if angle else "0°")
        name = prediction.replace("_", "\n")  # of CIFAR-100, e.g. aquarium_fish
        axis.set_xlabel(_marked(name, right), color=_color(right), labelpad=4)
    figure.suptitle(f"Class {label}, rotated; below: prediction", fontsize=7)
    return figure


@style.styled
def failures(
    right: np.ndarray, values: Sequence[float] | np.ndarray, label: str = "rotation, degrees"
) -> Figure:
    """Draws which rotations, or values of another axis, lead to a misclassification.

    Args:
      right: which predictions are right, bool [images, values].
      values: of the axis, ascending and evenly spaced, [values].
      label: of the axis (`geometry.axes.Axis.label`).

    Returns:
      A figure of a column's width. Its rows are the images, from those never wrong at the top to
      those most often wrong; rows equally often wrong stay in their order.

    Raises:
      ValueError: nothing to draw, numbers that are not finite, or not equally many.
    """
    values, by_value = style.check(values=values, right=np.transpose(right))
    wrong = ~by_value.T.astype(bool)
    wrong = wrong[np.argsort(wrong.mean(axis=1), kind="stable")]
    figure = style.new_figure(style.COLUMN, 3.2)
    axis = figure.subplots()
    half = (values[-1] - values[0]) / max(len(values) - 1, 1) / 2 or 0.5
    axis.imshow(
        wrong, cmap=colors.ListedColormap([_PALE, style.WRONG]), vmin=0, vmax=1, aspect="auto",
        interpolation="nearest", extent=(values[0] - half, values[-1] + half, len(wrong), 0),
    )  # fmt: skip
    axis.axvline(0, color="black", linewidth=0.6, linestyle=":")
    axis.xaxis.set_major_locator(ticker.MaxNLocator(7, steps=[1, 1.5, 3, 5, 10]))
    axis.yaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
    axis.set_xlabel(label)
    axis.set_ylabel("test images, by fraction wrong")
    patches = [Patch(facecolor=style.WRONG, label="wrong"), Patch(facecolor=_PALE, label="right")]
    figure.legend(handles=patches, loc="outside upper right", ncols=2)
    return figure


def _color(right: bool) -> str:
    return style.RIGHT if right else style.WRONG


def _marked(prediction: str, right: bool) -> str:
    return f"{prediction} {'✓' if right else '✗'}"


def _draw_image(axis: Axes, image: np.ndarray) -> None:
    grey = image.shape[-1] == 1
    shown = np.clip(image, 0, 255).astype(np.uint8)
    axis.imshow(shown[..., 0] if grey else shown, cmap="gray", vmin=0, vmax=255)
    axis.set_xticks([])
    axis.set_yticks([])
