"""The images and labels that a user brings to an evaluation."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def arrays(
    images: np.ndarray | tf.data.Dataset, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and class numbers, int32 [n], as arrays.

    Args:
      images: pixel values, [n, height, width, channels], or a tf.data.Dataset of (images, labels).
      labels: class numbers, integer [n] or [n, 1]; None with a tf.data.Dataset.

    Raises:
      TypeError, ValueError: they are not that, or do not go together.
    """
    if isinstance(images, tf.data.Dataset):
        if labels is not None:
            raise TypeError("labels come from the tf.data.Dataset: leave them out.")
        images, labels = _from_dataset(images)
    elif labels is None:
        raise TypeError("labels are missing.")
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4:
        raise ValueError(
            f"images must be [n, height, width, channels], got shape {list(images.shape)}."
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels must be class numbers, integer [n], got {labels.dtype} {list(labels.shape)}."
        )
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(
            f"images and labels must be equally many and at least 1, got {len(images)} images "
            f"and {len(labels)} labels."
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 255):
        raise ValueError(f"images must be pixel values 0..255, got {low:.3g} to {high:.3g}.")
    if high <= 1:
        raise ValueError(
            f"images must be pixel values 0..255, the largest given is {high:.3g}; for a "
            "classifier of images in 0..1 multiply them by 255 and give input_range=(0, 1)."
        )
    return images, labels.astype(np.int32)


def _from_dataset(dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise ValueError(f"the tf.data.Dataset must give (images, labels), it gives {spec}.")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("the tf.data.Dataset does not end: leave .repeat() out, or .take(n).")
    if isinstance(spec[0], tf.RaggedTensorSpec):
        raise ValueError("the images differ in size: resize them to one size.")
    batches = list(dataset.as_numpy_iterator())
    if not batches:
        raise ValueError("the tf.data.Dataset is empty.")
    join = np.stack if np.ndim(batches[0][0]) == 3 else np.concatenate
    try:
        return tuple(join(parts) for parts in zip(*batches))
    except ValueError as error:
        raise ValueError("the images differ in size: resize them to one size.") from error


def check_labels(labels: np.ndarray, num_classes: int) -> None:
    """Raises ValueError if a label is none of the classifier's classes."""
    bad = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(bad):
        raise ValueError(
            f"labels must be in [0, {num_classes - 1}], as the classifier has {num_classes} "
            f"classes; got {labels[bad[0]]} for image {bad[0]}."
        )


def places_of(places: np.ndarray | None, number: int) -> np.ndarray:
    """Returns the places of images in a set that they are a part of; in order by default.

    Args:
      places: integers, [n], or None.
      number: how many images there are.

    Raises:
      ValueError: there are not as many, some are negative, or one comes twice.
    """
    if places is None:
        return np.arange(number)
    places = np.asarray(places)
    is_right = places.shape == (number,) and np.issubdtype(places.dtype, np.integer)
    if not is_right or places.min() < 0 or len(np.unique(places)) < number:
        raise ValueError(
            f"places must be {number} different integers from 0 on, one for each image, got "
            f"{places.dtype} {list(places.shape)}."
        )
    return places
