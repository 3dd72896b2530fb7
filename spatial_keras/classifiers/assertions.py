"""What must hold of a batch: one line where it does not, within a graph of TensorFlow too."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

# What TensorFlow writes around the message of an assertion, and what it says of a wrong shape.
_ASSERTION = re.compile(r"\[((?:images|labels) must .*?)\] \[")
_SHAPE = re.compile(
    r"Shape of tensor \S* ?(\[.*?\]) is not compatible with expected shape (\[.*?\])"
)


def checked(
    values: tf.Tensor, condition: tf.Tensor, message: str, given: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the values, once the condition holds; XLA, which cannot fail, does not ask.

    Args:
      values: what is examined.
      condition: bool, of any shape.
      message: what must be, without a full stop.
      given: what to show of the first image that it does not hold of, [batch, ...], eagerly.

    Raises:
      ValueError: it does not hold, eagerly.
      tf.errors.InvalidArgumentError: it does not hold, in a graph.
    """
    if not tf.executing_eagerly():
        holds = tf.debugging.Assert(tf.reduce_all(condition), [message, ""])
        with tf.control_dependencies([holds]):
            return tf.identity(values)
    wrong = np.flatnonzero(~condition.numpy())
    if len(wrong):
        shown = "" if given is None else f"; got {given.numpy()[wrong[0]]} for image {wrong[0]}"
        raise ValueError(f"{message}{shown}.")
    return values


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Turns TensorFlow's report of a batch that is not what it must be into one line.

    Raises:
      ValueError: with that line.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        text = str(error)
        if found := _ASSERTION.search(text):
            raise ValueError(found[1] + ".") from error
        if found := _SHAPE.search(text):
            raise ValueError(
                f"images must be of shape {found[2]}, got {found[1]}: is the data batched?"
            ) from error
        raise
