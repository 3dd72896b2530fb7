"""Pictures of worst-case examples with the classifier's predictions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from spatial_keras import figures
from spatial_keras.training.robust_model import RobustModel


def draw(
    model: RobustModel,
    images: tf.Tensor,
    labels: tf.Tensor,
    parameters: tf.Tensor,
    class_names: tuple[str, ...],
) -> figures.Figure:
    """Draws images, their transformations and the classifier's predictions for both.

    Args:
      model: a RobustModel with a search.
      images: pixel values 0..255, [n, height, width, channels].
      labels: class numbers [n].
      parameters: transformations [n, axes].
      class_names: the names of the classes.
    """
    natural = tf.cast(images, tf.float32)
    worst = model.search.warp(natural, parameters)

    def predict(batch: tf.Tensor) -> list[str]:
        return [class_names[i] for i in np.argmax(model.logits(batch), -1)]

    names = [class_names[i] for i in np.asarray(labels)]
    captions = [model.search.transformations.caption(row) for row in parameters.numpy()]
    return figures.examples(
        natural.numpy(), worst.numpy(), captions, names, predict(natural), predict(worst)
    )
