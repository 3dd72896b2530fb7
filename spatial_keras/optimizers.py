"""Optimizers by name, with the paper's learning-rate schedule."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras import compat, validation

KERAS_NAMES = ("momentum", "adam")
ADDONS_NAMES = ("sgdw", "adamw", "lamb", "novograd", "radam", "yogi")
# These decay the weights themselves; the others leave it to the loss.
DECOUPLED = ("sgdw", "adamw")


def paper_schedule(
    learning_rate: float, steps: int
) -> tf.keras.optimizers.schedules.LearningRateSchedule:
    """A tenth after half of the steps and a hundredth after three quarters (paper, appendix).

    The paper takes 80,000 steps: 0.1, then 0.01 after 40,000 and 0.001 after 60,000.
    """
    boundaries = [steps // 2, steps * 3 // 4]
    values = [learning_rate, learning_rate / 10, learning_rate / 100]
    return tf.keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)


def get(
    name: str, learning_rate: float, steps: int, weight_decay: float = 0.0
) -> tf.keras.optimizers.Optimizer:
    """Builds the optimizer of this name.

    Args:
      name: "momentum" (SGD with momentum 0.9, the paper's) or "adam"; or, from TensorFlow Addons,
        "sgdw", "adamw", "lamb", "novograd", "radam" or "yogi".
      learning_rate: the first learning rate of the paper's schedule.
      steps: training steps, which the schedule is scaled to.
      weight_decay: for "sgdw" and "adamw", which decay weights by this times the learning rate.

    Raises:
      ValueError: an unknown name, or one from Addons on a stack without it.
    """
    validation.check_name("optimizer", name, KERAS_NAMES + ADDONS_NAMES)
    validation.check_range("learning_rate", learning_rate, 0, exclusive_low=True)
    schedule = paper_schedule(learning_rate, steps)
    if name == "momentum":
        return tf.keras.optimizers.SGD(schedule, momentum=0.9)
    if name == "adam":
        return tf.keras.optimizers.Adam(schedule)
    addons = compat.addons(f"optimizer '{name}'").optimizers
    decay = paper_schedule(weight_decay * learning_rate, steps)
    builders = {
        "sgdw": lambda: addons.SGDW(decay, learning_rate=schedule, momentum=0.9),
        "adamw": lambda: addons.AdamW(decay, learning_rate=schedule),
        "lamb": lambda: addons.LAMB(schedule),
        "novograd": lambda: addons.NovoGrad(schedule),
        "radam": lambda: addons.RectifiedAdam(schedule),
        "yogi": lambda: addons.Yogi(schedule),
    }
    return builders[name]()
