"""What the replicas of a step under tf.distribute share beside their gradients, and what not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from spatial_keras.classifiers import assertions


def number() -> int:
    """Returns how many replicas take a step together; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def check(images: tf.Tensor) -> tf.Tensor:
    """Returns a replica's images, of which a step needs one at least.

    Of nothing BatchNorm's statistics are NaN and convolutions have no gradient, or TensorFlow ends
    in a message about shapes; which, depends on the version and on the network.

    Args:
      images: that this replica has, [batch, ...].

    Raises:
      tf.errors.InvalidArgumentError: there are no images, in a graph.
    """
    if number() == 1:
        return images
    allowed = (
        f"images must be at least {number()} in each batch, one for each replica;"
        " drop_remainder=True leaves out a smaller last batch"
    )
    return assertions.checked(images, tf.shape(images)[0] > 0, allowed)


def average(variables: Sequence[tf.Variable]) -> None:
    """Gives floating variables, such as BatchNorm's moving statistics, the mean of the replicas.

    Left alone, each replica goes on with its own: the searches would differ between the replicas,
    and a checkpoint, which has one copy of each, would not restore what there was.

    Args:
      variables: of a network, assigned to in this replica's step.
    """
    floating = _floating(variables)
    if number() == 1 or not floating:
        return
    context = tf.distribute.get_replica_context()
    # What is reduced has to lie on the replica's device.
    values = [tf.identity(one) for one in floating]
    for variable, mean in zip(floating, context.all_reduce(tf.distribute.ReduceOp.MEAN, values)):
        variable.assign(mean)


def _floating(variables: Sequence[tf.Variable]) -> list[tf.Variable]:
    return [one for one in variables if tf.as_dtype(one.dtype).is_floating]


class CompiledFunctions:
    """Compiles functions with XLA, for each replica its own, as XLA shares no variables.

    In a graph they become a part of it; where a step runs eagerly, each is compiled once.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def __call__(self, function: Callable[..., Any], *depends_on: Any) -> Callable[..., Any]:
        """Returns the function compiled.

        Args:
          function: a method, of a name of its own.
          depends_on: objects that are compiled in, such as an optimizer.
        """
        if not tf.executing_eagerly():
            return tf.function(function, jit_compile=True)
        replica = int(tf.distribute.get_replica_context().replica_id_in_sync_group)
        key = (function.__name__, replica, *map(id, depends_on))
        if key not in self._kept:
            # With the objects, whose numbers others would have otherwise, once these are gone.
            self._kept[key] = tf.function(function, jit_compile=True), depends_on
        return self._kept[key][0]
