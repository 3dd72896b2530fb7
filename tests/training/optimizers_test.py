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


STEPS, DECAY = 6, 0.5


def weights():
    """A kernel, a bias, and the scale of a BatchNorm, of which none is left out."""
    return [
        tf.Variable([[1.0, -2.0]], name="kernel"),
        tf.Variable([0.5], name="bias"),
        tf.Variable([3.0], name="gamma"),
    ]


def after_steps(optimizer, loss_scale=1.0):
    """Takes all steps of the schedule down the sum of squares; returns the values after each."""
    variables, found = weights(), []
    for _ in range(STEPS):
        gradients = [2 * loss_scale * v for v in variables]
        compat.apply_gradients(optimizer, gradients, variables)
        found.append(np.concatenate([v.numpy().ravel() for v in variables]))
    return np.array(found)


def defined_steps(name, schedule):
    """Loshchilov and Hutter's SGDW and AdamW in NumPy: w -= rate * decay * w, then the step."""
    rate = optimizers.SCHEDULES[schedule](0.1, STEPS)
    w, m, v = np.array([1.0, -2.0, 0.5, 3.0]), np.zeros(4), np.zeros(4)
    found = []
    for step in range(STEPS):
        gradient, now = 2 * w, float(rate(step))
        w = w - now * DECAY * w
        if name == "sgdw":
            m = 0.9 * m - now * gradient
            w = w + m
        else:
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            corrected = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
            w = w - now * corrected[0] / (np.sqrt(corrected[1]) + 1e-7)
        found.append(w)
    return np.array(found)


decoupled = pytest.mark.parametrize("name", optimizers.DECOUPLED)
each_schedule = pytest.mark.parametrize("schedule", optimizers.SCHEDULES)


@decoupled
@each_schedule
def test_weights_decay_by_the_rate_times_the_decay(name, schedule):
    expected = defined_steps(name, schedule)
    found = after_steps(optimizers.get(name, 0.1, STEPS, DECAY, schedule))
    # 1 - 0.999 in float32 is off by 5e-5 of itself.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    inner = optimizers.get(name, 0.1, STEPS, DECAY, schedule)
    scaled = tf.keras.mixed_precision.LossScaleOptimizer(inner)
    # The first scale of both stacks; six steps do not change it.
    np.testing.assert_allclose(after_steps(scaled, 2.0**15), expected, rtol=1e-5, atol=1e-5)


@needs_addons
@decoupled
@each_schedule
def test_decay_is_as_in_addons(name, schedule):
    addons = compat.addons("this test").optimizers
    rate = optimizers.SCHEDULES[schedule](0.1, STEPS)
    decay = optimizers.SCHEDULES[schedule](0.1 * DECAY, STEPS)
    theirs = {
        "sgdw": lambda: addons.SGDW(decay, learning_rate=rate, momentum=0.9),
        "adamw": lambda: addons.AdamW(decay, learning_rate=rate),
    }
    ours = optimizers.get(name, 0.1, STEPS, DECAY, schedule)
    expected = after_steps(theirs[name]())
    np.testing.assert_allclose(after_steps(ours), expected, rtol=1e-5, atol=1e-5)


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
    with pytest.raises(ValueError, match="optimizer 'lamb' needs TensorFlow Addons"):
        optimizers.get("lamb", 0.1, 10)


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
