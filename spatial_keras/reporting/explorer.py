"""The explorer of a page: what classifiers say of images turned and shifted by hand.

Nothing is computed by a network in the browser. For each image margins and predictions are those
that the Evaluator has at the points of a grid, and the sliders go from point to point. Only the
turned image is drawn there, from matrices of the axes, as `SpatialWarp` does it.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from spatial_keras.evaluation import Evaluator
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.reporting import markup
from spatial_keras.support import tables

# An image is shown at most so large, in pixels, and all of them in at most so many bytes.
_LARGEST = 256
_MOST_BYTES = 1_000_000
_MOST_AXES, _MOST_POINTS = 3, 2000
_CHANNELS = {1: "L", 3: "RGB"}


@dataclasses.dataclass(frozen=True, eq=False)
class Axes:
    """The axes to explore, the first of those of S that have several values.

    Attributes:
      box: the set S.
      places: which of its axes.
      values: of each the points of the grid, float [points].
    """

    box: TransformationSet
    places: Sequence[int]
    values: Sequence[np.ndarray]

    @classmethod
    def of(cls, box: TransformationSet, counts: Sequence[int] | None) -> Axes | None:
        """Returns the axes of a set, along a grid; None if nothing moves along any of them.

        Args:
          box: the set S.
          counts: the grid's points along each axis; the default ones where they are too many.
        """
        counts = box.check_counts(counts)
        for numbers in (counts, box.default_counts):
            values = [axis.grid(number) for axis, number in zip(box.axes, numbers)]
            places = [place for place, points in enumerate(values) if len(points) > 1]
            places = places[:_MOST_AXES]
            if math.prod(len(values[place]) for place in places) <= _MOST_POINTS:
                break
        return cls(box, places, [values[place] for place in places]) if places else None

    @property
    def points(self) -> np.ndarray:
        """The grid over these axes, the others at the identity, float32 [points, axes]."""
        grid = np.stack(np.meshgrid(*self.values, indexing="ij"), -1).reshape(-1, len(self.places))
        points = np.tile(self.box.identity, [len(grid), 1])
        points[:, self.places] = grid
        return points

    @property
    def others(self) -> list[str]:
        """The names of the axes of S that are not explored, though they have several values."""
        numbered = enumerate(self.box.axes)
        return [axis.name for place, axis in numbered if axis.moves and place not in self.places]

    def to_dict(self, height: int, width: int, scale: float) -> list[dict[str, Any]]:
        """Returns names, values and matrices of the axes, for images shown at a scale."""
        shown = np.diag([scale, scale, 1.0])
        found = []
        for place, values in zip(self.places, self.values):
            axis = self.box.axes[place]
            matrices = axis.matrix(tf.constant(values, tf.float64), height, width).numpy()
            matrices = shown @ matrices @ np.linalg.inv(shown)
            found.append(
                {
                    "name": axis.name,
                    "label": axis.label,
                    "texts": [f"{axis.write(value)}{axis.symbol}" for value in values],
                    "identity": int(np.argmin(np.abs(values - axis.identity))),
                    "matrices": matrices.reshape(-1, 9).tolist(),
                }
            )
        return found

    def steps(self, is_sequential: bool) -> list[list[int]]:
        """Returns the axes that each interpolation takes together, the first one first.

        Of the axes of one interpolation the last one moves the content first.
        """
        axes = [self.box.axes[place] for place in self.places]
        if not is_sequential:
            return [sorted(range(len(axes)), key=lambda number: axes[number].order)]
        turns, shifts = (
            [i for i, axis in enumerate(axes) if (axis.unit == "pixels") == is_shift]
            for is_shift in (False, True)
        )
        return [step for step in (turns, shifts) if step]


def explore(
    evaluators: Mapping[str, Evaluator],
    numbers: np.ndarray,
    class_names: Sequence[str],
    counts: Sequence[int] | None = None,
) -> markup.Explorer | None:
    """Returns the explorer of some images.

    Args:
      evaluators: of the same images and the same S, by the classifiers' names.
      numbers: of the images to show, int [n].
      class_names: the names of the classes.
      counts: the grid's points along each axis of S.

    Returns:
      None if S has the identity alone, or images cannot be shown, as those that are cropped.
    """
    first = next(iter(evaluators.values()))
    height, width, channels = first.images.shape[1:]
    axes = Axes.of(first.transformations, counts)
    if axes is None or channels not in _CHANNELS or not len(numbers):
        return None
    if first.warp.fill == "crop" or first.warp.interpolation == "nearest":
        return None  # the page's code draws neither
    points = axes.points
    pairs = np.repeat(numbers, len(points)), np.tile(points, [len(numbers), 1])
    scale = min(1.0, _LARGEST / max(height, width))
    size = round(height * scale), round(width * scale)
    pictures = _pictures(first.images[numbers], size)
    shifts = [axis.bound for axis in first.transformations.axes if axis.unit == "pixels"]
    data = {
        "axes": axes.to_dict(height, width, scale),
        "others": tables.listed(axes.others),
        "steps": axes.steps(first.warp.composition == "sequential" and first.warp.axes is None),
        "fill": first.warp.fill,
        "margin": math.ceil(max(shifts, default=0) * scale) + 1,
        "height": size[0],
        "width": size[1],
        "classes": list(class_names),
        "images": [
            {"number": int(number), "label": int(first.labels[number])} for number in numbers
        ],
        "classifiers": [
            {"name": name, **_said(evaluator, *pairs)} for name, evaluator in evaluators.items()
        ],
    }
    return markup.Explorer(data, pictures)


def _said(evaluator: Evaluator, images: np.ndarray, parameters: np.ndarray) -> dict[str, str]:
    verdicts = evaluator.judge(images, parameters)
    arrays = {"margins": ("<f4", verdicts.margins), "predictions": ("<u2", verdicts.predictions)}
    return {name: _encoded(array.astype(kind).tobytes()) for name, (kind, array) in arrays.items()}


def _pictures(images: np.ndarray, size: tuple[int, int]) -> list[str]:
    """Returns images as data URIs: as they are where they are small, else as JPEG."""
    shown = []
    for image in images:
        pixels = np.clip(np.round(np.asarray(image, np.float64)), 0, 255).astype(np.uint8)
        mode = _CHANNELS[pixels.shape[-1]]
        picture = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)
        shown.append(picture if picture.size == size[::-1] else picture.resize(size[::-1]))
    files = [_file(picture, "png") for picture in shown]
    kind = "png"
    if sum(map(len, files)) > _MOST_BYTES:
        files, kind = [_file(picture, "jpeg") for picture in shown], "jpeg"
    return [f"data:image/{kind};base64,{_encoded(content)}" for content in files]


def _file(picture: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **({"quality": 90} if kind == "jpeg" else {"optimize": True}))
    return content.getvalue()


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
