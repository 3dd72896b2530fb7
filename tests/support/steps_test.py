"""Callbacks count training steps, however many one execution takes."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.support.steps import StepCallback, is_due

X, Y = np.zeros([16, 2], np.float32), np.zeros([16, 1], np.float32)


class Record(StepCallback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_steps_end(self, steps, logs=None):
        self.steps.append(steps)


@pytest.mark.parametrize(
    ("steps_per_execution", "expected"), [(1, [1] * 16), (4, [4] * 4), (8, [8] * 2)]
)
def test_steps_are_counted_and_not_calls(steps_per_execution, expected):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=steps_per_execution, jit_compile=False)
    record = Record()
    model.fit(X, Y, batch_size=2, epochs=2, callbacks=[record], verbose=0)
    assert record.steps == expected
    assert sum(record.steps) == int(tf.keras.backend.get_value(model.optimizer.iterations))


@pytest.mark.parametrize(
    ("step", "steps", "due"),
    [(2, 1, True), (3, 1, False), (4, 4, True), (5, 3, True), (3, 3, True), (9, 1, False)],
)
def test_what_is_due_every_two_steps(step, steps, due):
    assert is_due(step, steps, every=2) is due
    assert due == any(each % 2 == 0 for each in range(step - steps + 1, step + 1))
