"""The wait for a batch, and not its making, is measured."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import data
from tests import small

STEPS, PAUSE = 6, 0.1


def batches(pause):
    def make(number):
        time.sleep(pause)
        return small.IMAGES, np.full(12, number % 3, np.int32)

    def batch(number):
        images, labels = tf.numpy_function(make, [number], [tf.uint8, tf.int32])
        return tf.ensure_shape(images, small.IMAGES.shape), tf.ensure_shape(labels, [12])

    return tf.data.Dataset.counter().map(batch).prefetch(2)


def test_the_elements_are_the_same():
    waiting = data.WaitingTime()
    measured = waiting.of(batches(0))
    assert measured.element_spec == batches(0).element_spec
    assert measured.options().autotune.enabled is False
    for (images, labels), (others, other_labels) in zip(measured.take(3), batches(0)):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


@pytest.mark.parametrize("slow", ["data", "step"])
def test_fit_waits_for_slow_data_alone(slow):
    model, waiting = small.robust_model("std"), data.WaitingTime()
    rest = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: time.sleep(PAUSE if slow == "step" else 0)
    )
    stream = waiting.of(batches(PAUSE if slow == "data" else 0))
    model.fit(stream, steps_per_epoch=STEPS, callbacks=[rest], shuffle=False, verbose=0)
    after_the_first = waiting.seconds - PAUSE
    if slow == "data":  # not while it traces the step
        assert PAUSE * (STEPS - 3) < after_the_first
    else:
        assert waiting.seconds < PAUSE * STEPS / 2
