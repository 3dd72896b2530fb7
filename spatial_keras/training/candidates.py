"""The worst of an image's candidates, judged in passes of a bounded size."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def worst_candidate(
    judge: Callable[[tf.Tensor], tf.Tensor], candidates: tf.Tensor, per_pass: int
) -> tf.Tensor:
    """Returns each image's candidate of the largest value; of equal ones the first.

    Args:
      judge: maps parameters [batch, n, axes] to values [batch, n].
      candidates: parameters [batch, k, axes].
      per_pass: candidates of each image to judge at once.

    Returns:
      Parameters [batch, axes].
    """
    number = candidates.shape[1]
    if number <= per_pass:
        return _first_largest(judge(candidates), candidates)[1]
    # The last pass is filled up with repetitions of the last candidate, which change nothing.
    passes = -(-number // per_pass)
    index = tf.minimum(tf.range(passes * per_pass), number - 1)
    shape = [-1, passes, per_pass, candidates.shape[-1]]
    chunks = tf.reshape(tf.gather(candidates, index, axis=1), shape)

    def advance(i: tf.Tensor, value: tf.Tensor, worst: tf.Tensor) -> tuple[tf.Tensor, ...]:
        new_value, new = _first_largest(judge(chunks[:, i]), chunks[:, i])
        larger = new_value > value
        return i + 1, tf.where(larger, new_value, value), tf.where(larger[:, None], new, worst)

    first = _first_largest(judge(chunks[:, 0]), chunks[:, 0])
    _, _, worst = tf.while_loop(lambda i, *_: i < passes, advance, (tf.constant(1), *first))
    return worst


def _first_largest(values: tf.Tensor, candidates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    index = tf.argmax(values, axis=1, output_type=tf.int32)
    return (
        tf.gather(values, index, axis=1, batch_dims=1),
        tf.gather(candidates, index, axis=1, batch_dims=1),
    )
