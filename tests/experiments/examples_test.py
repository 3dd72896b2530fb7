"""Predictions in pictures are the classifier's."""

import numpy as np
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet
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


def test_images_move_along_all_axes_of_the_set():
    model, box = small.robust_model(), TransformationSet(3, 3, 30, 1.2, max_yaw=20)
    parameters = np.float32([[1, -1, 20, 1.2, -20]])
    figure = examples.draw(
        model.logits, box, SpatialWarp(), small.IMAGES[:1], small.LABELS[:1], parameters,
        ("a", "b", "c"),
    )  # fmt: skip
    expected = SpatialWarp().along(box)(small.IMAGES[:1], parameters)[0, ..., 0]
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(shown, np.clip(expected, 0, 255).astype(np.uint8))
    assert figure.axes[1].get_xlabel() == "+1.0, -1.0 px\n+20°\nx1.20\n-20.0° yaw"
