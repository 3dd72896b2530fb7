"""The images and labels that a user brings to an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers import images as examination


def arrays(
    images: np.ndarray | tf.data.Dataset | tf.keras.utils.Sequence, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and labels as arrays, equally many.

    Args:
      images: pixel values, [n, height, width, channels], or a tf.data.Dataset or Sequence of
        (images, labels).
      labels: what `classifiers.labels` takes; None with a tf.data.Dataset or Sequence.

    Raises:
      TypeError, ValueError: they are not that, or do not go together.
    """
    if isinstance(images, (tf.data.Dataset, tf.keras.utils.Sequence)):
        kind = "tf.data.Dataset" if isinstance(images, tf.data.Dataset) else "Sequence"
        if labels is not None:
            raise TypeError(f"labels come from the {kind}: leave them out.")
        read = _from_dataset if kind == "tf.data.Dataset" else _joined
        images, labels = read(images)
    elif labels is None:
        raise TypeError("labels are missing.")
    images, labels = _array(images), np.asarray(labels)
    examination.check(images)
    if len(images) == 0 or np.ndim(labels) == 0 or len(images) != len(labels):
        raise ValueError(
            f"images and labels must be equally many and at least 1, got {len(images)} images "
            f"and {np.size(labels) and len(labels)} labels."
        )
    return images, labels


def _array(images: Any) -> np.ndarray:
    if isinstance(images, tf.RaggedTensor):
        raise ValueError(examination.RAGGED)
    try:
        return np.asarray(images)
    except ValueError as error:  # a list of images of several sizes
        raise ValueError(examination.RAGGED) from error


def _from_dataset(dataset: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise ValueError(f"the tf.data.Dataset must give (images, labels), it gives {spec}.")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("the tf.data.Dataset does not end: leave .repeat() out, or .take(n).")
    if isinstance(spec[0], tf.RaggedTensorSpec):
        raise ValueError(examination.RAGGED)
    return _joined(list(dataset.as_numpy_iterator()))


def _joined(batches: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    batches = [batches[number] for number in range(len(batches))]
    if not batches:
        raise ValueError("there are no images.")
    if any(len(batch) != 2 for batch in batches):
        raise ValueError("each batch must be (images, labels).")
    join = np.stack if np.ndim(batches[0][0]) == 3 else np.concatenate
    try:
        images, labels = (join(parts) for parts in zip(*batches))
    except ValueError as error:
        raise ValueError(examination.RAGGED) from error
    return images, labels


def class_names_of(names: Sequence[str] | None, classes: int) -> Sequence[str]:
    """Returns the names of classes; their numbers where there is not one for each of them."""
    return names if names and len(names) == classes else [str(i) for i in range(classes)]


def names_of(
    names: Sequence[Any] | np.ndarray | None, places: np.ndarray
) -> Sequence[Any] | np.ndarray:
    """Returns the names of images; by default their places.

    Args:
      names: one for each place, or None.
      places: the images' places, int [n].

    Raises:
      ValueError: there are more or fewer.
    """
    if names is not None and len(names) != len(places):
        raise ValueError(f"names must be {len(places)}, one for each image, got {len(names)}.")
    return places if names is None else names


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
