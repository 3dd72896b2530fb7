"""What labels may be, wherever a user brings them: class numbers, or distributions over classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers import assertions


def examined(labels: Any, batch_size: int | tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns labels in one of two forms.

    Args:
      labels: class numbers, whole numbers of any type, [batch] or [batch, 1], or distributions
        (one-hot, soft), [batch, classes]; in a graph of a shape known or not.
      batch_size: how many images they are of.
      num_classes: the number of classes.

    Returns:
      Class numbers, int32 [batch], or distributions, float32 [batch, classes].

    Raises:
      ValueError: they are neither; eagerly it names the first image of a wrong one.
    """
    allowed = (
        f"labels must be class numbers 0..{num_classes - 1}, integer [batch], or distributions "
        f"over the classes, [batch, {num_classes}]"
    )
    if not isinstance(labels, tf.Tensor):
        labels = np.asarray(labels)
        if labels.dtype.kind not in "biuf":
            raise ValueError(f"{allowed}, got {labels.dtype.name}.")
    labels = tf.convert_to_tensor(labels)
    if labels.dtype == tf.string:
        raise ValueError(f"{allowed}, got texts.")
    width = labels.shape[1] if labels.shape.rank == 2 else None
    if labels.shape.rank == 1 or width == 1:
        return _class_numbers(tf.reshape(labels, [-1]), num_classes, allowed)
    if labels.shape.rank not in (None, 2) or width not in (None, num_classes):
        raise ValueError(f"{allowed}, got shape {labels.shape}.")
    if width is not None:
        return _distributions(labels, allowed)
    # A generator does not say whether these are class numbers [batch, 1] or distributions.
    width = tf.reduce_prod(tf.shape(labels)[1:])
    labels = assertions.checked(labels, (width == 1) | (width == num_classes), allowed)
    rows = tf.reshape(labels, [batch_size, width])
    return tf.cond(
        width == 1,
        lambda: tf.one_hot(_class_numbers(rows[:, 0], num_classes, allowed), num_classes),
        # Either is of this shape for XLA, which compiles both.
        lambda: _distributions(tf.broadcast_to(rows, [batch_size, num_classes]), allowed),
    )


def class_numbers(labels: Any, num_classes: int) -> np.ndarray:
    """Returns class numbers, int32 [n], of a whole set; of a distribution the likeliest class.

    Raises:
      ValueError: they are not what `examined` takes.
    """
    labels = examined(labels, len(labels), num_classes).numpy()
    return labels if labels.ndim == 1 else labels.argmax(axis=1).astype(np.int32)


def _class_numbers(labels: tf.Tensor, num_classes: int, allowed: str) -> tf.Tensor:
    numbers = tf.cast(labels, tf.int32)
    # What 32 bits do not hold comes back as another number.
    is_whole = tf.cast(numbers, labels.dtype) == labels
    right = is_whole & (numbers >= 0) & (numbers < num_classes)
    return assertions.checked(numbers, right, allowed, labels)


def _distributions(labels: tf.Tensor, allowed: str) -> tf.Tensor:
    labels = tf.cast(labels, tf.float32)
    adds_up = abs(tf.reduce_sum(labels, axis=1) - 1) < 1e-3
    right = adds_up & tf.reduce_all(labels >= 0, axis=1)
    return assertions.checked(labels, right, allowed, labels)
