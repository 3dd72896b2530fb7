"""What all tests share: a quiet TensorFlow with two CPU devices, fixed seeds, ways to execute."""

from __future__ import annotations

import functools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As in a program that imports the package first, on every processor. Networks as small as those of
# the tests take as long without it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import pytest
import tensorflow as tf

EXECUTIONS = {
    "eager": lambda function: function,
    "function": tf.function,
    "xla": functools.partial(tf.function, jit_compile=True),
}


def pytest_configure(config: pytest.Config) -> None:
    """Sets up TensorFlow's devices, which must happen before it runs anything."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    # Two of them, for tests under tf.distribute.
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    if hasattr(config, "workerinput"):  # pytest-xdist already keeps every core busy
        tf.config.threading.set_intra_op_parallelism_threads(1)


@pytest.fixture(autouse=True)
def fresh_start() -> None:
    """Starts each test from the same seeds and in float32, whatever ran before it."""
    tf.keras.utils.set_random_seed(0)
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture(params=EXECUTIONS)
def execution(request: pytest.FixtureRequest):
    """A decorator that runs a function eagerly, as a tf.function, or compiled by XLA."""
    return EXECUTIONS[request.param]
