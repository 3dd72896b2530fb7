"""What users put into `fit`: grid accuracy, measured while a model trains."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras import evaluation
from spatial_keras.support import validation

__all__ = ["GridAccuracy", "StepCallback"]


class StepCallback(tf.keras.callbacks.Callback):
    """A callback that is told how many steps were taken.

    Keras calls callbacks once per execution, which is of `steps_per_execution` steps.
    """

    _last_batch = -1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts to count anew, as Keras does."""
        self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the steps: `batch` is the number of the last one within the epoch."""
        steps, self._last_batch = batch - self._last_batch, batch
        self.on_steps_end(steps, logs or {})

    def on_steps_end(self, steps: int, logs: dict[str, Any]) -> None:
        """Called after each execution.

        Args:
          steps: how many it took.
          logs: as for on_train_batch_end; empty where there are none.
        """


def is_due(step: int, steps: int, every: int) -> bool:
    """Returns whether a multiple of `every` is among the last `steps` up to `step`."""
    return step // every > (step - steps) // every


class GridAccuracy(StepCallback):
    """Evaluates natural and grid accuracy every so many steps of `fit`, and logs to TensorBoard.

    At the end of an epoch the newest are in its logs, `val_natural_accuracy` and
    `val_grid_accuracy`, where callbacks that stand after this one and the history find them:
    `EarlyStopping(monitor="val_grid_accuracy", mode="max")`, KerasTuner's objective.

    Args:
      images: a fixed subset, pixel values 0..255, [n, height, width, channels]; not test images,
        if a choice is to be made by it.
      labels: their class numbers, [n].
      folder: TensorBoard's log folder; None for `history` only.
      every: steps between evaluations; None evaluates at the end of each epoch.
      first_step: the step that training continues from.
      counts: the grid's points along each axis of S; the paper's by default.
      **options: further arguments of `evaluation.Evaluator`, such as transformations, input_range.

    Attributes:
      history: (step, natural, grid accuracy) of every evaluation.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        folder: str | os.PathLike | None = None,
        every: int | None = 1000,
        first_step: int = 0,
        counts: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._every = every if every is None else validation.check_integer("every", every, 1)
        self._images, self._labels, self._options = images, labels, options
        self._step, self._counts = first_step, counts
        self._folder = folder
        self.history: list[tuple[int, float, float]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Looks at the classifier and the images, and opens the log."""
        self._evaluator = evaluation.Evaluator(
            self.model, self._images, self._labels, **self._options
        )
        # Not before: KerasTuner copies callbacks, and a writer cannot be copied.
        self._writer = (
            tf.summary.create_noop_writer()
            if self._folder is None
            else tf.summary.create_file_writer(str(self._folder))
        )

    def on_steps_end(self, steps: int, logs: dict[str, Any]) -> None:
        """Evaluates when it is time."""
        self._step += steps
        if self._every is not None and is_due(self._step, steps, self._every):
            self._evaluate()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the newest accuracies to the epoch's logs."""
        if self._every is None:
            self._evaluate()
        if self.history and logs is not None:
            _, logs["val_natural_accuracy"], logs["val_grid_accuracy"] = self.history[-1]

    def _evaluate(self) -> None:
        natural = self._evaluator.natural()
        grid = self._evaluator.grid(self._counts, natural)
        with self._writer.as_default(step=self._step):
            for outcome in (natural, grid):
                tf.summary.scalar(f"validation/{outcome.name}_accuracy", outcome.accuracy)
            tf.summary.scalar("time/grid_evaluation", natural.seconds + grid.seconds)
        self._writer.flush()
        self.history.append((self._step, natural.accuracy, grid.accuracy))
