"""What an optimizer holds, read in the same way from both Keras."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def steps_taken(optimizer: tf.keras.optimizers.Optimizer) -> int:
    """The number of steps, also where the variable is distributed."""
    return int(tf.keras.backend.get_value(optimizer.iterations))


def optimizer_variables(optimizer: tf.keras.optimizers.Optimizer) -> list[tf.Variable]:
    """The variables: a list in Keras 3, a method in some of Keras 2.15."""
    variables = optimizer.variables
    return variables() if callable(variables) else variables


def optimizer_values(optimizer: tf.keras.optimizers.Optimizer) -> list[np.ndarray]:
    """The values of the variables."""
    variables = optimizer_variables(optimizer)
    return [np.asarray(tf.keras.backend.get_value(variable)) for variable in variables]
