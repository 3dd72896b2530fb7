"""Callbacks count training steps, however many one execution takes."""

import copy

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import callbacks, evaluation
from spatial_keras.callbacks import StepCallback, is_due
from spatial_keras.geometry.transformations import TransformationSet
from tests import small

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


@pytest.mark.parametrize("part", ["whole", "classifier"])
def test_grid_accuracy_is_that_of_the_weights_at_the_step(tmp_path, part):
    model = small.robust_model(learning_rate=1.0)
    if part == "classifier":
        model = model.classifier
        model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    box = TransformationSet(1, 1, 20)
    logs = callbacks.GridAccuracy(
        small.IMAGES, small.LABELS, tmp_path, 2, first_step=1, counts=(3, 1, 3), transformations=box
    )
    expected = []

    def evaluate(batch, logs):
        if batch % 2 == 0:
            fresh = evaluation.Evaluator(model, small.IMAGES, small.LABELS, transformations=box)
            outcomes = fresh.natural(), fresh.grid((3, 1, 3))
            expected.append((batch + 2, *(outcome.accuracy for outcome in outcomes)))

    check = tf.keras.callbacks.LambdaCallback(on_train_batch_end=evaluate)
    data = tf.data.Dataset.from_tensors((small.IMAGES, small.LABELS)).repeat()
    model.fit(data, steps_per_epoch=5, callbacks=[check, logs], verbose=0)
    assert logs.history == expected and [step for step, *_ in expected] == [2, 4, 6]
    events = small.logged(tmp_path)
    for place, name in enumerate(("natural", "grid"), start=1):
        found = events[f"validation/{name}_accuracy"]
        np.testing.assert_allclose(found, [(e[0], e[place]) for e in expected], rtol=1e-6)
    assert len(events["time/grid_evaluation"]) == 3


def test_grid_accuracy_without_a_folder_keeps_the_history():
    model = small.robust_model()
    logs = callbacks.GridAccuracy(small.IMAGES, small.LABELS, every=1, counts=(1, 1, 3))
    data = tf.data.Dataset.from_tensors((small.IMAGES, small.LABELS)).repeat()
    model.fit(data, steps_per_epoch=1, callbacks=[logs], verbose=0)
    ((step, natural, grid),) = logs.history
    assert step == 1 and 0 <= grid <= natural <= 1


def test_keras_callbacks_stop_and_save_by_grid_accuracy(tmp_path):
    model = small.robust_model("std", learning_rate=0.0)
    grid = callbacks.GridAccuracy(small.IMAGES, small.LABELS, every=None, counts=(1, 1, 3))
    watching = [
        copy.deepcopy(grid),
        tf.keras.callbacks.EarlyStopping("val_grid_accuracy", patience=1, mode="max"),
        tf.keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.keras"), "val_natural_accuracy", save_best_only=True, mode="max"
        ),
    ]
    history = model.fit(
        small.IMAGES, small.LABELS, batch_size=12, epochs=9, callbacks=watching, verbose=0
    ).history
    for name, place in (("natural", 1), ("grid", 2)):
        values = [entry[place] for entry in watching[0].history]
        assert history[f"val_{name}_accuracy"] == values
    assert len(values) < 9 and values[-1] <= max(values[:-1])  # stopped when nothing improved
    expected = evaluation.Evaluator(model, small.IMAGES, small.LABELS).grid((1, 1, 3)).accuracy
    assert values[-1] == expected
    assert (tmp_path / "best.keras").exists()
