"""The batches that `fit` hands to a step: what they may be, and in which form they are used.

Arrays are checked before anything is computed; what comes batch by batch, when its batch comes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers.examination import Examination

_IN_RANGE = "images must be finite pixel values of at least 0 (black)"
_UNIT_RANGE = (
    "images must be pixel values 0..255, these are 0..1: multiply them by 255; a classifier of "
    "images in 0..1 is wrapped in a model that begins with tf.keras.layers.Rescaling(1 / 255)"
)
# What TensorFlow writes around the message of an assertion, and what it says of a wrong shape.
_ASSERTION = re.compile(r"\[((?:images|labels) must .*?)\] \[")
_SHAPE = re.compile(
    r"Shape of tensor \S* ?(\[.*?\]) is not compatible with expected shape (\[.*?\])"
)

Batch = tuple[tf.Tensor, tf.Tensor, "tf.Tensor | None"]


def unpack(data: Any, examined: Examination) -> Batch:
    """Returns images, labels and weights of a batch, whatever `fit` was given.

    Args:
      data: (images, labels) or (images, labels, weights) of a batch, of shapes known or not.
      examined: what the classifier takes and gives.

    Returns:
      Images, [batch, height, width, channels], a floating type, of as static a shape as the
      classifier's; labels, class numbers int32 [batch] or distributions float32 [batch, classes];
      and weights, float32 [batch] or None.

    Raises:
      ValueError: there are no labels, or a shape does not fit.
    """
    images, labels, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
    if labels is None:
        raise ValueError("the data must be (images, labels), got images only.")
    images = to_images(images, examined)
    labels = _to_labels(labels, tf.shape(images)[0], examined.num_classes)
    if weights is not None:
        weights = tf.reshape(tf.cast(weights, tf.float32), [-1])
    return images, labels, weights


def to_images(images: Any, examined: Examination) -> tf.Tensor:
    """Returns images as floating numbers with the shape that the classifier takes.

    Raises:
      ValueError: they have another one.
    """
    images = tf.convert_to_tensor(images)
    wanted = tf.TensorShape([None, *examined.input_shape])
    if not images.shape.is_compatible_with(wanted):
        sizes = ", ".join("any" if size is None else str(size) for size in examined.input_shape)
        raise ValueError(f"images must be [batch, {sizes}], got shape {images.shape}.")
    if images.dtype == tf.bool:
        raise ValueError(_UNIT_RANGE + ".")
    images = tf.ensure_shape(images, wanted)
    if images.dtype.is_floating:
        in_range = tf.reduce_all(tf.math.is_finite(images) & (images >= 0))
        images = _checked(images, in_range, _IN_RANGE)
    else:
        images = tf.cast(images, tf.float32)
    # A batch that is black throughout may be one of either kind.
    in_unit_range = tf.reduce_any(images > 0) & tf.reduce_all(images <= 1)
    return _checked(images, ~in_unit_range, _UNIT_RANGE)


def _to_labels(labels: Any, batch_size: tf.Tensor, num_classes: int) -> tf.Tensor:
    labels = tf.convert_to_tensor(labels)
    width = labels.shape[1] if labels.shape.rank == 2 else None
    if labels.shape.rank == 1 or width == 1:
        return _class_numbers(tf.reshape(labels, [-1]), num_classes)
    if labels.shape.rank not in (None, 2) or width not in (None, num_classes):
        raise ValueError(f"{_allowed_labels(num_classes)}, got shape {labels.shape}.")
    if width is not None:
        return _distributions(labels, num_classes)
    # A generator does not say whether these are class numbers [batch, 1] or distributions.
    width = tf.reduce_prod(tf.shape(labels)[1:])
    allowed = (width == 1) | (width == num_classes)
    labels = _checked(labels, allowed, _allowed_labels(num_classes))
    rows = tf.reshape(labels, [batch_size, width])
    return tf.cond(
        width == 1,
        lambda: tf.one_hot(_class_numbers(rows[:, 0], num_classes), num_classes),
        # Either is of this shape for XLA, which compiles both.
        lambda: _distributions(tf.broadcast_to(rows, [batch_size, num_classes]), num_classes),
    )


def _class_numbers(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    numbers = tf.cast(labels, tf.int32)
    whole = tf.cast(numbers, labels.dtype) == labels
    right = tf.reduce_all(whole & (numbers >= 0) & (numbers < num_classes))
    return _checked(numbers, right, _allowed_labels(num_classes))


def _distributions(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    labels = tf.cast(labels, tf.float32)
    adds_up = tf.reduce_all(abs(tf.reduce_sum(labels, axis=1) - 1) < 1e-3)
    right = adds_up & tf.reduce_all(labels >= 0)
    return _checked(labels, right, _allowed_labels(num_classes))


def _allowed_labels(num_classes: int) -> str:
    return (
        f"labels must be class numbers 0..{num_classes - 1}, integer [batch], or distributions "
        f"over the classes, [batch, {num_classes}]"
    )


def _checked(values: tf.Tensor, condition: tf.Tensor, message: str) -> tf.Tensor:
    """Returns the values, once the condition holds; XLA, which cannot fail, does not ask."""
    if tf.executing_eagerly():
        if not condition:
            raise ValueError(f"{message}.")
        return values
    with tf.control_dependencies([tf.debugging.Assert(condition, [message, ""])]):
        return tf.identity(values)


def check_first_batch(data: Any, examined: Examination) -> None:
    """Checks the first batch of a data set, where later ones cannot be: XLA asks nothing.

    Raises:
      ValueError: it is not what may be trained on.
    """
    if isinstance(data, tf.data.Dataset):
        for batch in data.take(1):
            unpack(batch, examined)


def check_arrays(images: Any, labels: Any, examined: Examination) -> None:
    """Checks data that are at hand as a whole; of others nothing is known yet.

    Raises:
      ValueError: images or labels are not what may be trained on.
    """
    if not isinstance(images, (np.ndarray, tf.Tensor)) or labels is None:
        return
    images = np.asarray(images)
    if images.size:
        with mistakes_in_one_line(), tf.device("CPU"):
            to_images(images[:0], examined)
            _to_labels(np.asarray(labels), tf.constant(len(images)), examined.num_classes)
        _check_range(images)


def _check_range(images: np.ndarray) -> None:
    low, high = images.min(), images.max()
    if not (low >= 0 and np.isfinite(high)):
        raise ValueError(f"{_IN_RANGE}, got {low:.3g} to {high:.3g}.")
    if high <= 1:
        raise ValueError(_UNIT_RANGE + ".")


@contextlib.contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """Turns TensorFlow's report of a batch that is not what it must be into one line."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        text = str(error)
        if found := _ASSERTION.search(text):
            raise ValueError(found[1] + ".") from error
        if found := _SHAPE.search(text):
            raise ValueError(
                f"images must be of shape {found[2]}, got {found[1]}: is the data batched?"
            ) from error
        raise
