"""What images may be, wherever a user brings them: to `fit`, `evaluate` or an Evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers import assertions

_RANGE = "images must be pixel values 0..255"
_IN_RANGE = "images must be finite pixel values of at least 0 (black)"
_UNIT_RANGE = (
    f"{_RANGE}, these are 0..1: multiply them by 255; a classifier of images in 0..1 is wrapped in "
    "a model that begins with tf.keras.layers.Rescaling(1 / 255), or evaluated with "
    "input_range=(0, 1)."
)
# What the images of a pass may take with all that the warp makes of them, and how many times their
# bytes in float32 that is, measured.
_BYTES_OF_A_PASS = 256e6
_COPIES = 6
RAGGED = "the images differ in size: resize them to one size."


def check(images: np.ndarray) -> None:
    """Examines a whole set of images.

    Raises:
      ValueError: they are not [n, height, width, channels], or not pixel values 0..255.
    """
    if images.dtype == object:
        raise ValueError(RAGGED)
    if images.ndim != 4:
        raise ValueError(
            f"images must be [n, height, width, channels], got shape {list(images.shape)}."
        )
    if images.size:
        check_range(images)
        if not images.any():
            raise ValueError(f"{_RANGE}, these are black.")


def check_range(images: np.ndarray) -> None:
    """Raises ValueError if images are not 0..255; black ones may be of any range."""
    if images.dtype == bool:
        raise ValueError(_UNIT_RANGE)
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 255):
        raise ValueError(f"{_RANGE}, got {low:.3g} to {high:.3g}.")
    if 0 < high <= 1:
        raise ValueError(_UNIT_RANGE)


def of_batch(images: Any, input_shape: tuple[int | None, ...]) -> tf.Tensor:
    """Returns a batch of images as floating numbers with the shape that the classifier takes.

    Their range is for the set to tell: a batch may be dark throughout.

    Args:
      images: [batch, height, width, channels], its shape known or not.
      input_shape: (height, width, channels) of the classifier, None where it takes any.

    Raises:
      ValueError: they have another shape.
    """
    if isinstance(images, tf.RaggedTensor):
        raise ValueError(RAGGED)
    images = tf.convert_to_tensor(images)
    wanted = tf.TensorShape([None, *input_shape])
    if not images.shape.is_compatible_with(wanted):
        sizes = ", ".join("any" if size is None else str(size) for size in input_shape)
        raise ValueError(
            f"images must be [batch, {sizes}], got shape {images.shape}: is the data batched?"
        )
    images = tf.ensure_shape(images, wanted)
    if not images.dtype.is_floating:
        return tf.cast(images, tf.float32)
    return assertions.checked(images, tf.math.is_finite(images) & (images >= 0), _IN_RANGE)


def images_per_pass(shape: tuple[int, ...], most: int) -> int:
    """Returns how many images of (height, width, channels) go through a network at once."""
    return max(1, min(most, int(_BYTES_OF_A_PASS / (4 * _COPIES * np.prod(shape)))))
