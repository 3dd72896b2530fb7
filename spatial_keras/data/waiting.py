"""How long a training waits for its data."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.data.images_on_disk import stream_options


class WaitingTime:
    """Measures how long whoever takes batches from a stream waits for them.

    Batches that were made ahead cost no waiting: it is the time by which the data holds up the
    training, not that of making them.
    """

    def __init__(self) -> None:
        with tf.device("CPU"):
            self._seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)

    @property
    def seconds(self) -> float:
        """The seconds waited so far."""
        return float(self._seconds.numpy())

    def of(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the same stream, measured."""
        # Each element is made when it is asked for: first its time, then, maybe late, the batch.
        asked = tf.data.Dataset.counter().map(lambda _: tf.timestamp())

        def given(asked: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            with tf.control_dependencies([self._seconds.assign_add(tf.timestamp() - asked)]):
                return tf.nest.map_structure(tf.identity, batch)

        measured = tf.data.Dataset.zip((asked, batches)).map(given)
        return measured.with_options(stream_options())
