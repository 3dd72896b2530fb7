from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.support import compat
from tests.keras_state import steps_taken

optimizers = tf.keras.optimizers
SCHEDULE = optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
keras_2_only = pytest.mark.skipif(compat.IS_KERAS_3, reason="legacy optimizers are of Keras 2")


def legacy_sgd(rate):
    return optimizers.legacy.SGD(rate, momentum=0.9)


def addons_sgdw(rate):
    return compat.addons("SGDW").optimizers.SGDW(0.0, learning_rate=rate, momentum=0.9)


def loss_scaled(rate):
    return tf.keras.mixed_precision.LossScaleOptimizer(optimizers.SGD(rate, momentum=0.9))


PLAIN = {
    "sgd": lambda rate: optimizers.SGD(rate, momentum=0.9),
    "adam": lambda rate: optimizers.Adam(rate),
    "loss_scaled": loss_scaled,
}
LEGACY = {"legacy_sgd": legacy_sgd, "addons_sgdw": addons_sgdw}
all_optimizers = pytest.mark.parametrize(
    "build",
    [
        *(pytest.param(build, id=name) for name, build in PLAIN.items()),
        *(pytest.param(build, id=name, marks=keras_2_only) for name, build in LEGACY.items()),
    ],
)


def variables():
    return [tf.Variable([1.0, -2.0], name="weights"), tf.Variable(0.5, name="bias")]


def take_steps(optimizer, variables, steps):
    """Gradient steps on half of the sum of squares: the gradient is the variable itself."""
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(v**2) for v in variables]) / 2
            loss = compat.scale_loss(optimizer, loss)
        gradients = tape.gradient(loss, variables)
        compat.apply_gradients(optimizer, gradients, variables)


def values(variables):
    return np.concatenate([np.ravel(v.numpy()) for v in variables])


def momentum(start, rate, steps):
    """SGD with momentum 0.9 on the same loss."""
    x, speed = np.array(start), 0.0
    for _ in range(steps):
        speed = 0.9 * speed - rate * x
        x = x + speed
    return x


def test_the_stack_is_recognized():
    assert compat.IS_KERAS_3 == hasattr(tf.keras, "ops")


# Gradient steps.


@pytest.mark.parametrize("name", ["sgd", "loss_scaled", "legacy_sgd", "addons_sgdw"])
def test_steps_are_those_of_the_unscaled_loss(name):
    if name in LEGACY and compat.IS_KERAS_3:
        pytest.skip("legacy optimizers are of Keras 2")
    optimizer, weights = {**PLAIN, **LEGACY}[name](0.1), variables()
    take_steps(optimizer, weights, 3)
    np.testing.assert_allclose(values(weights), momentum([1, -2, 0.5], 0.1, 3), rtol=1e-6)


def test_the_loss_is_multiplied_by_the_scale():
    scaled = tf.keras.mixed_precision.LossScaleOptimizer(optimizers.SGD(0.1))
    compat.build_optimizer(scaled, variables())
    assert float(compat.scale_loss(scaled, tf.constant(3.0))) == 3 * 2.0**15
    assert float(compat.scale_loss(optimizers.SGD(0.1), tf.constant(3.0))) == 3


def test_a_step_that_overflows_is_left_out():
    optimizer, weights = loss_scaled(0.1), variables()
    compat.build_optimizer(optimizer, weights)
    gradients = [tf.constant([np.inf, 1.0]), tf.constant(1.0)]
    compat.apply_gradients(optimizer, gradients, weights)
    np.testing.assert_array_equal(values(weights), [1, -2, 0.5])
    assert float(compat.scale_loss(optimizer, tf.constant(1.0))) == 2.0**14


@all_optimizers
def test_steps_are_counted(build):
    optimizer, weights = build(0.1), variables()
    compat.build_optimizer(optimizer, weights)
    assert steps_taken(optimizer) == 0
    take_steps(optimizer, weights, 3)
    assert steps_taken(optimizer) == 3


def test_steps_are_counted_under_a_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        weights, optimizer = variables(), optimizers.SGD(0.1)
        compat.build_optimizer(optimizer, weights)
    strategy.run(tf.function(lambda: take_steps(optimizer, weights, 2)))
    assert steps_taken(optimizer) == 2


# Checkpoints.


@all_optimizers
def test_a_built_optimizer_is_restored_and_goes_on_exactly(build, tmp_path):
    optimizer, weights = build(0.1), variables()
    take_steps(optimizer, weights, 2)
    path = tf.train.Checkpoint(optimizer=optimizer, weights=weights).save(str(tmp_path / "c"))

    new_optimizer, new_weights = build(0.1), [tf.Variable(tf.zeros_like(w)) for w in weights]
    compat.build_optimizer(new_optimizer, new_weights)
    checkpoint = tf.train.Checkpoint(optimizer=new_optimizer, weights=new_weights)
    checkpoint.restore(path).assert_consumed()
    assert steps_taken(new_optimizer) == 2
    for each in ((optimizer, weights), (new_optimizer, new_weights)):
        take_steps(*each, 2)
    np.testing.assert_array_equal(values(new_weights), values(weights))


@all_optimizers
def test_building_changes_nothing(build):
    built, weights = build(0.1), variables()
    compat.build_optimizer(built, weights)
    take_steps(built, weights, 2)
    plain, others = build(0.1), variables()
    take_steps(plain, others, 2)
    np.testing.assert_array_equal(values(weights), values(others))


# Memory.


def traced_step():
    """The graph of a step that was traced, called and forgotten."""
    optimizer, weights = optimizers.SGD(0.1), variables()
    compat.build_optimizer(optimizer, weights)
    step = tf.function(lambda: take_steps(optimizer, weights, 1)).get_concrete_function()
    step()
    return weakref.ref(step.graph)


def test_the_graph_of_a_step_is_let_go():
    graph = traced_step()
    gc.collect()
    assert graph() is not None  # else there is nothing to release any more
    compat.release_gradients()
    gc.collect()
    assert graph() is None
    take_steps(optimizers.SGD(0.1), variables(), 1)


# The learning rate.


@all_optimizers
def test_the_learning_rate_of_a_value(build):
    optimizer = build(0.125)
    assert compat.learning_rate(optimizer) == 0.125
    assert isinstance(compat.learning_rate(optimizer), float)


@all_optimizers
def test_the_learning_rate_of_a_schedule_follows_the_steps(build):
    optimizer, weights = build(SCHEDULE), variables()
    rates = []
    for _ in range(3):
        rates.append(compat.learning_rate(optimizer))
        take_steps(optimizer, weights, 1)
    assert rates == [0.5, 0.5, 0.25]


# Addons.


@keras_2_only
def test_addons_are_there_on_keras_2():
    assert compat.addons("this test") is sys.modules["tensorflow_addons"]


@pytest.mark.parametrize("broken", [False, True], ids=["as_is", "absent"])
def test_addons_missing_is_said_in_one_line(monkeypatch, broken):
    if broken:
        monkeypatch.setitem(sys.modules, "tensorflow_addons", None)
    elif not compat.IS_KERAS_3:
        pytest.skip("this stack has Addons")
    message = f"^optimizer 'sgdw' needs TensorFlow Addons, .* {tf.__version__} .*2.15 on Python 3.9"
    with pytest.raises(ValueError, match=message) as error:
        compat.addons("optimizer 'sgdw'")
    assert "\n" not in str(error.value)
