"""The wait for a batch, and not its making, is measured."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import data
from tests import small

STEPS = 5


@pytest.fixture(name="clock")
def set_clock(monkeypatch):
    """A clock that a test moves, [seconds], in the place of TensorFlow's."""
    clock = [0.0]
    read = lambda: tf.numpy_function(lambda: np.float64(clock[0]), [], tf.float64)  # noqa: E731
    monkeypatch.setattr(tf, "timestamp", read)
    return clock


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


def test_fit_waits_for_what_is_made_after_it_was_asked_for(clock):
    made = []

    def prepare():
        made.append(1)
        clock[0] += 0.25

    waited = train(data.WaitingTime(), batches(prepare), lambda: None)
    assert waited == 0.25 * len(made) >= 0.25 * STEPS


def test_fit_does_not_wait_while_it_takes_a_step(clock):
    def step():
        clock[0] += 0.25

    assert train(data.WaitingTime(), batches(lambda: None).prefetch(2), step) == 0
    assert clock[0] == 0.25 * STEPS
