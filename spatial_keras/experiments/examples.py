"""Pictures of worst-case examples with the classifier's predictions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from spatial_keras import figures
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp


def draw(
    classifier: Callable[[tf.Tensor], tf.Tensor],
    transformations: TransformationSet,
    warp: SpatialWarp,
    images: tf.Tensor,
    labels: tf.Tensor,
    parameters: tf.Tensor,
    class_names: tuple[str, ...],
) -> figures.Figure:
    """Draws images, their transformations and the classifier's predictions for both.

    Args:
      classifier: gives logits.
      transformations: the set S.
      warp: applies them, along whatever axes.
      images: pixel values 0..255, [n, height, width, channels].
      labels: class numbers [n].
      parameters: transformations [n, axes].
      class_names: the names of the classes.
    """
    natural = tf.cast(images, tf.float32)
    worst = warp.along(transformations)(natural, parameters)

    def predict(batch: tf.Tensor) -> list[str]:
        return [class_names[i] for i in np.argmax(classifier(batch), -1)]

    names = [class_names[i] for i in np.asarray(labels)]
    captions = [transformations.caption(row) for row in np.asarray(parameters)]
    return figures.examples(
        natural.numpy(), worst.numpy(), captions, names, predict(natural), predict(worst)
    )
