"""The wait for a batch, and not its making, is measured."""

from __future__ import annotations

import threading
import time

import numpy as np
import tensorflow as tf

from spatial_keras import data
from tests import small

STEPS, PAUSE = 5, 0.3


def batches(prepare):
    """Batches that come after `prepare`."""

    def make(number):
        prepare()
        return small.IMAGES, np.full(12, number % 3, np.int32)

    def batch(number):
        images, labels = tf.numpy_function(make, [number], [tf.uint8, tf.int32])
        return tf.ensure_shape(images, small.IMAGES.shape), tf.ensure_shape(labels, [12])

    return tf.data.Dataset.counter().map(batch)


def train(waiting, stream, after_step):
    callback = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: after_step()
    )
    model = small.robust_model("std")
    model.fit(
        waiting.of(stream), steps_per_epoch=STEPS, callbacks=[callback], shuffle=False, verbose=0
    )
    return waiting.seconds


def test_the_elements_are_the_same():
    waiting = data.WaitingTime()
    measured = waiting.of(batches(lambda: None))
    assert measured.element_spec == batches(lambda: None).element_spec
    assert measured.options().autotune.enabled is False
    for (images, labels), (others, other_labels) in zip(measured.take(3), batches(lambda: None)):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


def test_fit_waits_for_what_is_made_after_it_was_asked_for():
    asked = threading.Semaphore(1)

    def prepare():
        asked.acquire(timeout=10)  # until the step before is done
        time.sleep(PAUSE)

    assert train(data.WaitingTime(), batches(prepare), asked.release) > PAUSE * (STEPS - 1) / 2


def test_fit_does_not_wait_for_what_is_made_ahead():
    stream = batches(lambda: None).prefetch(2)
    waited = train(data.WaitingTime(), stream, lambda: time.sleep(PAUSE))
    assert waited < PAUSE * STEPS / 2
