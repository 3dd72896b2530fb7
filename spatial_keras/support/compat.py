"""Every difference between Keras 2.15 and Keras 3 that the library meets, each with its reason.

Also the one door to TensorFlow Addons, which only the Keras 2.15 stack has.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

# tf.keras has no version of its own in TensorFlow 2.15.
IS_KERAS_3 = getattr(tf.keras, "__version__", "2").startswith("3")

# How the names of networks begin that Keras saves, but then cannot load: Keras 2.15 takes one of
# their layers for a text.
UNREADABLE_NETWORKS = () if IS_KERAS_3 else ("ConvNeXt",)


def scale_loss(optimizer: tf.keras.optimizers.Optimizer, loss: tf.Tensor) -> tf.Tensor:
    """Multiplies the loss by the optimizer's loss scale, if mixed precision gave it one.

    Every optimizer of Keras 3 has `scale_loss`; in Keras 2.15 only a LossScaleOptimizer scales.
    """
    if IS_KERAS_3:
        return optimizer.scale_loss(loss)
    if hasattr(optimizer, "get_scaled_loss"):
        return optimizer.get_scaled_loss(loss)
    return loss


def apply_gradients(
    optimizer: tf.keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
) -> None:
    """Applies gradients of a loss scaled by `scale_loss`.

    Keras 3 unscales in `apply_gradients`; Keras 2.15 leaves it to the caller. Of a frozen model
    there are none, which Keras 3 does not take.
    """
    if not variables:
        return
    if not IS_KERAS_3 and hasattr(optimizer, "get_unscaled_gradients"):
        gradients = optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, variables))


def build_optimizer(
    optimizer: tf.keras.optimizers.Optimizer, variables: Sequence[tf.Variable]
) -> None:
    """Creates the optimizer's variables before the first step, for a checkpoint to restore.

    Addons' optimizers are of Keras 2.15's legacy family, which has no `build`.
    """
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:
        optimizer._create_all_weights(variables)


def release_gradients() -> None:
    """Lets go of the graphs of all training steps so far, which cannot be differentiated after.

    An optimizer sums gradients over the replicas by an operation with a gradient of its own. That
    gradient holds the step's graph, and TensorFlow keeps it in a registry that nothing empties:
    without this, 9 MB stay of every `fit` of a ResNet-8.
    """
    # There is no public way to the registry.
    from tensorflow.python.framework import ops

    registered = ops.gradient_registry._registry
    for name in [name for name in registered if name.startswith("CustomGradient-")]:
        del registered[name]


def addons(user: str) -> types.ModuleType:
    """Returns tensorflow_addons.

    Args:
      user: what needs it, for the message.

    Raises:
      ValueError: this stack has no Addons.
    """
    try:
        # With Keras 3, an installed Addons fails on import rather than being absent.
        import tensorflow_addons
    except ImportError as error:
        raise ValueError(
            f"{user} needs TensorFlow Addons, which TensorFlow {tf.__version__} does not have; "
            "it runs with TensorFlow 2.15 on Python 3.9 to 3.11."
        ) from error
    return tensorflow_addons


def learning_rate(optimizer: Any) -> float:
    """Returns the learning rate of the next step, whether it is a value or follows a schedule.

    The attribute `learning_rate` of Keras 2.15 is that of the last step where there is a schedule.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    name = "_learning_rate" if hasattr(optimizer, "_learning_rate") else "learning_rate"
    rate = getattr(optimizer, name)
    if isinstance(rate, tf.keras.optimizers.schedules.LearningRateSchedule):
        rate = rate(optimizer.iterations)
    return float(tf.keras.backend.get_value(rate))


def add_count(model: tf.keras.Model, name: str) -> tf.Variable:
    """Returns a new weight of the model, an int64 of 0, that all replicas add the same to."""
    first = "only_first_replica" if IS_KERAS_3 else tf.VariableAggregation.ONLY_FIRST_REPLICA
    return model.add_weight(
        name=name, shape=(), dtype="int64", initializer="zeros", trainable=False, aggregation=first
    )


def directions(of_names: Mapping[str, str]) -> tf.keras.metrics.Metric | None:
    """Returns what tells Keras 3's callbacks which way a reported number is better.

    They look at the metrics that `compile` was given, and at lists of metrics, alone; Keras 2.15
    goes by the names.

    Args:
      of_names: name -> "up" or "down".

    Returns:
      A metric without values, to be an attribute of the model; None with Keras 2.15.
    """
    if not IS_KERAS_3:
        return None
    # There is no public list of metrics.
    from keras.src.trainers.compile_utils import MetricsList

    class Directions(MetricsList):
        """Names and directions, and nothing to report."""

        def reset_state(self) -> None:
            """Has none."""

        def result(self) -> dict[str, tf.Tensor]:
            """Returns nothing."""
            return {}

    named = [types.SimpleNamespace(name=k, _direction=v) for k, v in of_names.items()]
    return Directions(named, name="directions")


def names_in_order(metrics: Sequence[tf.keras.metrics.Metric]) -> list[str]:
    """Returns the names of what these metrics of a model report.

    In Keras 3 those of `compile` are one metric that has others, as is that of `directions`.
    """
    if not IS_KERAS_3:
        return [metric.name for metric in metrics]
    reporting = [metric for metric in metrics if metric.name != "directions"]
    return [one.name for metric in reporting for one in getattr(metric, "metrics", [metric])]


def before_activation(outputs: tf.Tensor) -> tf.Tensor | None:
    """Returns what went into the softmax or sigmoid that gave these outputs; None if that is lost.

    Both stacks note it on the tensor, for their cross-entropies; within a graph the op tells too.
    """
    noted = getattr(outputs, "_keras_logits", None)
    if noted is not None or tf.executing_eagerly():
        return noted
    return outputs.op.inputs[0] if outputs.op.type in ("Softmax", "Sigmoid") else None
