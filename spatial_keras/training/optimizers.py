"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.support import compat, validation

KERAS_NAMES = ("momentum", "nesterov", "adam")
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


def cosine_schedule(
    learning_rate: float, steps: int
) -> tf.keras.optimizers.schedules.LearningRateSchedule:
    """Rises linearly from 0 in the first fifth of the steps, then falls to 0 along a cosine."""
    warm_up = steps // 5
    if not warm_up:
        return tf.keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return tf.keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=learning_rate, warmup_steps=warm_up
    )


SCHEDULES = {"paper": paper_schedule, "cosine": cosine_schedule}


def get(
    name: str,
    learning_rate: float,
    steps: int,
    weight_decay: float = 0.0,
    schedule: str = "paper",
) -> tf.keras.optimizers.Optimizer:
    """Builds the optimizer of this name.

    Args:
      name: "momentum" (SGD with momentum 0.9, the paper's), "nesterov" (the same with Nesterov's
        correction) or "adam"; or, from TensorFlow Addons, "sgdw", "adamw", "lamb", "novograd",
        "radam" or "yogi".
      learning_rate: the largest of the schedule.
      steps: training steps, which the schedule is scaled to.
      weight_decay: for "sgdw" and "adamw", which decay weights by this times the learning rate.
      schedule: "paper" (`paper_schedule`) or "cosine" (`cosine_schedule`).

    Raises:
      ValueError: an unknown name, or one from Addons on a stack without it.
    """
    validation.check_name("optimizer", name, KERAS_NAMES + ADDONS_NAMES)
    validation.check_range("learning_rate", learning_rate, 0, exclusive_low=True)
    validation.check_name("schedule", schedule, SCHEDULES)
    rate = SCHEDULES[schedule](learning_rate, steps)
    if name in ("momentum", "nesterov"):
        return tf.keras.optimizers.SGD(rate, momentum=0.9, nesterov=name == "nesterov")
    if name == "adam":
        return tf.keras.optimizers.Adam(rate)
    addons = compat.addons(f"optimizer '{name}'").optimizers
    decay = SCHEDULES[schedule](weight_decay * learning_rate, steps)
    builders = {
        "sgdw": lambda: addons.SGDW(decay, learning_rate=rate, momentum=0.9),
        "adamw": lambda: addons.AdamW(decay, learning_rate=rate),
        "lamb": lambda: addons.LAMB(rate),
        "novograd": lambda: addons.NovoGrad(rate),
        "radam": lambda: addons.RectifiedAdam(rate),
        "yogi": lambda: addons.Yogi(rate),
    }
    return builders[name]()
