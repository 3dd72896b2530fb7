"""What the replicas of a step under tf.distribute have to agree on, beside their gradients."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def number() -> int:
    """Returns how many replicas take a step together; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def average(variables: Sequence[tf.Variable]) -> None:
    """Gives floating variables, such as BatchNorm's moving statistics, the mean of the replicas.

    Left alone, each replica goes on with its own: the searches would differ between the replicas,
    and a checkpoint, which has one copy of each, would not restore what there was.

    Args:
      variables: of a network, assigned to in this replica's step.
    """
    floating = [one for one in variables if tf.as_dtype(one.dtype).is_floating]
    if number() == 1 or not floating:
        return
    context = tf.distribute.get_replica_context()
    # What is reduced has to lie on the replica's device.
    values = [tf.identity(one) for one in floating]
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
    for variable, mean in zip(floating, means):
        variable.assign(mean)
