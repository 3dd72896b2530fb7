"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from spatial_keras.support import compat, validation

KERAS_NAMES = ("momentum", "nesterov", "adam", "sgdw", "adamw")
ADDONS_NAMES = ("lamb", "novograd", "radam", "yogi")
# These decay the weights themselves; the others leave it to the loss.
DECOUPLED = ("sgdw", "adamw")

if TYPE_CHECKING:
    from typing import TypeAlias

_Schedule: TypeAlias = tf.keras.optimizers.schedules.LearningRateSchedule


def paper_schedule(learning_rate: float, steps: int) -> _Schedule:
    """A tenth after half of the steps and a hundredth after three quarters (paper, appendix).

    The paper takes 80,000 steps: 0.1, then 0.01 after 40,000 and 0.001 after 60,000.
    """
    boundaries = [steps // 2, steps * 3 // 4]
    values = [learning_rate, learning_rate / 10, learning_rate / 100]
    return tf.keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)


def cosine_schedule(learning_rate: float, steps: int) -> _Schedule:
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
        correction), "adam", "sgdw" (momentum with decoupled weight decay) or "adamw"; or, from
        TensorFlow Addons, "lamb", "novograd", "radam" or "yogi".
      learning_rate: the largest of the schedule.
      steps: training steps, which the schedule is scaled to.
      weight_decay: for "sgdw" and "adamw": before each step they take this times the step's
        learning rate off every trainable variable, biases and BatchNorm's scale and offset
        included. No effect on the others.
      schedule: "paper" (`paper_schedule`) or "cosine" (`cosine_schedule`).

    Raises:
      ValueError: an unknown name, or one from Addons on a stack without it.
    """
    validation.check_name("optimizer", name, KERAS_NAMES + ADDONS_NAMES)
    validation.check_range("learning_rate", learning_rate, 0, exclusive_low=True)
    validation.check_name("schedule", schedule, SCHEDULES)
    rate = SCHEDULES[schedule](learning_rate, steps)
    return _from_addons(name, rate) if name in ADDONS_NAMES else _of_keras(name, rate, weight_decay)


def _of_keras(name: str, rate: _Schedule, weight_decay: float) -> tf.keras.optimizers.Optimizer:
    keras = tf.keras.optimizers
    builders = {
        "momentum": lambda: keras.SGD(rate, momentum=0.9),
        "nesterov": lambda: keras.SGD(rate, momentum=0.9, nesterov=True),
        "adam": lambda: keras.Adam(rate),
        "sgdw": lambda: keras.SGD(rate, momentum=0.9, weight_decay=weight_decay),
        "adamw": lambda: keras.AdamW(rate, weight_decay=weight_decay),
    }
    return builders[name]()


def _from_addons(name: str, rate: _Schedule) -> tf.keras.optimizers.Optimizer:
    addons = compat.addons(f"optimizer '{name}'").optimizers
    builders = {
        "lamb": addons.LAMB,
        "novograd": addons.NovoGrad,
        "radam": addons.RectifiedAdam,
        "yogi": addons.Yogi,
    }
    return builders[name](rate)
