"""Callbacks that go by training steps: Keras calls them once per execution, of one step or more."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class StepCallback(tf.keras.callbacks.Callback):
    """A callback that is told how many steps were taken, whatever `steps_per_execution` is."""

    _last_batch = -1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts to count anew, as Keras does."""
        self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the steps: `batch` is the number of the last one within the epoch."""
        steps, self._last_batch = batch - self._last_batch, batch
        self.on_steps_end(steps, logs)

    def on_steps_end(self, steps: int, logs: dict[str, Any] | None = None) -> None:
        """Called after each execution.

        Args:
          steps: how many it took.
          logs: as for on_train_batch_end.
        """


def is_due(step: int, steps: int, every: int) -> bool:
    """Returns whether a multiple of `every` is among the last `steps` up to `step`."""
    return step // every > (step - steps) // every
