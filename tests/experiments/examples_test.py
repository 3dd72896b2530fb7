"""Predictions in pictures are the classifier's."""

import numpy as np
import tensorflow as tf

from spatial_keras.experiments import examples
from tests import small


def test_drawn_predictions_are_the_classifiers():
    model = small.robust_model()
    parameters = tf.constant([[1.0, -1.0, 20.0]] * 3)
    images, labels = small.IMAGES[:3], small.LABELS[:3]
    figure = examples.draw(
        model.logits, model.search.transformations, model.search.warp, images, labels, parameters,
        ("a", "b", "c"),
    )  # fmt: skip
    worst = model.search.warp(images.astype(np.float32), parameters)
    logits = np.concatenate([model.classifier(images.astype(np.float32)), model.classifier(worst)])
    expected = ["abc"[i] for i in np.argmax(logits, -1)]
    assert [axis.get_title().split()[0] for axis in figure.axes] == expected
    np.testing.assert_array_equal(
        figure.axes[4].images[0].get_array(), np.clip(worst[1, ..., 0], 0, 255).astype(np.uint8)
    )
