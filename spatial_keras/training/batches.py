"""The batches that `fit` hands to a step: what they may be, and in which form they are used.

What is true of a set is judged on the set, before anything is computed: on all images of arrays,
on the first batch of what comes batch by batch. Each later batch is asked only what holds of any.
"""

from __future__ import annotations

import copy
import itertools
import types
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers import assertions, images, labels
from spatial_keras.classifiers.examination import Examination

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
    x, y, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
    if y is None:
        raise ValueError("the data must be (images, labels), got images only.")
    x = images.of_batch(x, examined.input_shape)
    y = labels.examined(y, tf.shape(x)[0], examined.num_classes)
    if weights is not None:
        weights = tf.reshape(tf.cast(weights, tf.float32), [-1])
    return x, y, weights


def examine(x: Any, y: Any, examined: Examination) -> Any:
    """Examines what `fit` or `evaluate` is given, as far as it can be seen without using it up.

    Args:
      x: as of tf.keras.Model.fit, or, without y, a pair of both.
      y: likewise.
      examined: what the classifier takes and gives.

    Returns:
      What to go on with in place of x.

    Raises:
      ValueError: it is not what may be trained on.
    """
    with assertions.in_one_line(), tf.device("CPU"):
        if isinstance(x, (tuple, list)) and y is None:
            examine(x[0], x[1] if len(x) > 1 else None, examined)
            return x
        if isinstance(x, tf.RaggedTensor):
            raise ValueError(images.RAGGED)
        if isinstance(x, (np.ndarray, tf.Tensor)):
            if y is not None and len(x):
                images.of_batch(x[:0], examined.input_shape)
                images.check(np.asarray(x))
                labels.examined(y, len(x), examined.num_classes)
            return x
        first, x = _first(x)
        if first is not None:
            images.check_range(unpack(first, examined)[0].numpy())
    return x


def _first(x: Any) -> tuple[Any, Any]:
    """Returns the first batch, if it can be had, and what still gives all batches."""
    if isinstance(x, tf.data.Dataset):
        return next(iter(x.take(1)), None), x
    if isinstance(x, tf.keras.utils.Sequence):
        # Of a copy, as some count what they gave.
        return copy.copy(x)[0] if len(x) else None, x
    if isinstance(x, types.GeneratorType):
        first = next(x, None)
        return first, (batch for batch in itertools.chain([first], x))
    return None, x
