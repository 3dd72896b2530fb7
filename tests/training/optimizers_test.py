"""The schedule's numbers, and one step of each optimizer."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.support import compat
from spatial_keras.training import optimizers

needs_addons = pytest.mark.skipif(compat.IS_KERAS_3, reason="Keras 3 has no Addons")


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 0.1), (40_000, 0.1), (40_001, 0.01), (60_000, 0.01), (60_001, 0.001), (80_000, 0.001)],
)
def test_the_papers_schedule(step, rate):
    schedule = optimizers.paper_schedule(0.1, 80_000)
    np.testing.assert_allclose(float(schedule(step)), rate, rtol=1e-6)


def test_the_schedule_scales_with_the_steps():
    schedule = optimizers.paper_schedule(1.0, 8)
    rates = [round(float(schedule(step)), 6) for step in range(9)]
    assert rates == [1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]


def test_momentum_is_the_heavy_ball():
    variable = tf.Variable([1.0, -2.0])
    optimizer = optimizers.get("momentum", 0.1, 1000)
    expected, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for _ in range(3):
        compat.apply_gradients(optimizer, [2 * variable], [variable])
        velocity = 0.9 * velocity - 0.1 * 2 * expected
        expected = expected + velocity
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


@needs_addons
def test_sgdw_decays_the_weights_by_the_rate_times_the_decay():
    variable = tf.Variable([1.0])
    optimizer = optimizers.get("sgdw", 0.1, 1000, weight_decay=0.5)
    compat.apply_gradients(optimizer, [tf.zeros(1)], [variable])
    np.testing.assert_allclose(variable.numpy(), [1 - 0.1 * 0.5], rtol=1e-6)


@needs_addons
@pytest.mark.parametrize("name", optimizers.ADDONS_NAMES)
def test_addons_optimizers_go_down(name):
    variable = tf.Variable([1.0, -2.0])
    optimizer = optimizers.get(name, 0.01, 1000)
    for _ in range(5):
        compat.apply_gradients(optimizer, [2 * variable], [variable])
    assert (np.abs(variable.numpy()) < [1.0, 2.0]).all()


@pytest.mark.skipif(not compat.IS_KERAS_3, reason="Keras 2.15 has Addons")
def test_without_addons_the_error_says_so():
    with pytest.raises(ValueError, match="optimizer 'sgdw' needs TensorFlow Addons"):
        optimizers.get("sgdw", 0.1, 10)


@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("momentun", 0.1, "did you mean 'momentum'"),
        ("momentum", 0.0, "learning_rate must be more than 0"),
        ("adam", float("nan"), "learning_rate must be"),
    ],
)
def test_errors(name, rate, message):
    with pytest.raises(ValueError, match=message):
        optimizers.get(name, rate, 10)


@pytest.mark.parametrize("step", [0, 100, 200, 201, 600, 1000])
def test_the_cosine_schedule(step):
    rate = 0.1 * step / 200 if step < 200 else 0.05 * (1 + np.cos(np.pi * (step - 200) / 800))
    found = float(optimizers.cosine_schedule(0.1, 1000)(step))
    np.testing.assert_allclose(found, rate, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 4, 5])
def test_few_steps_have_a_cosine_schedule(steps):
    schedule = optimizers.cosine_schedule(0.1, steps)
    assert all(0 <= float(schedule(step)) <= 0.1 + 1e-6 for step in range(steps + 1))


def test_nesterov_looks_ahead():
    variable = tf.Variable([1.0, -2.0])
    optimizer = optimizers.get("nesterov", 0.1, 1000)
    expected, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for _ in range(3):
        step = -0.1 * 2 * expected
        compat.apply_gradients(optimizer, [2 * variable], [variable])
        velocity = 0.9 * velocity + step
        expected = expected + 0.9 * velocity + step
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)
