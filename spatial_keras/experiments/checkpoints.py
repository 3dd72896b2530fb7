"""Checkpoints from which a killed run goes on exactly, and the stop at a loss that is not finite.

Keras's BackupAndRestore is not exact: it repeats steps or restarts the data's order. Here a
checkpoint is the classifier, the optimizer and the step; order and draws are rebuilt from the step.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.support import compat, files
from spatial_keras.support.steps import StepCallback, is_due
from spatial_keras.training.robust_model import RobustModel


class DivergedError(ArithmeticError):
    """The loss or a weight is no longer a finite number."""


class Checkpoints(StepCallback):
    """Saves the model's training state every few steps, and restores the newest.

    Args:
      model: a compiled RobustModel.
      folder: where the checkpoints lie.
      every: steps between checkpoints.
    """

    def __init__(self, model: RobustModel, folder: pathlib.Path, every: int) -> None:
        super().__init__()
        self.every = every
        self.folder = folder
        self._classifier = model.classifier
        compat.build_optimizer(model.optimizer, model.classifier.trainable_variables)
        # Not the optimizer's count, which loss scaling holds back when it skips a step.
        self._step = tf.Variable(0, dtype=tf.int64)
        self._checkpoint = tf.train.Checkpoint(
            classifier=model.classifier, optimizer=model.optimizer, step=self._step
        )
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), max_to_keep=2)

    @property
    def step(self) -> int:
        """The number of training steps taken."""
        return int(self._step.numpy())

    def restore(self) -> int:
        """Restores the newest checkpoint, if there is one, and returns its step (else 0).

        Raises:
          ValueError: it cannot be read.
        """
        newest = self._manager.latest_checkpoint
        if newest is None and any(self.folder.glob("*.index")):
            raise ValueError(
                f"the list of checkpoints, {self.folder / 'checkpoint'}, is missing or damaged; "
                "delete the folder to start again."
            )
        if newest is not None:
            with files.failures_in_one_line(
                f"checkpoint {newest} cannot be read, delete the run's folder to start again"
            ):
                self._checkpoint.restore(newest).assert_existing_objects_matched()
        return self.step

    def on_steps_end(self, steps: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the steps, and saves when it is time."""
        self._step.assign_add(steps)
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at step {self.step}; the last good checkpoint is kept: "
                f"{self._manager.latest_checkpoint}. Try a smaller --learning_rate."
            )
        if is_due(self.step, steps, self.every):
            self.save()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Saves the end of the training."""
        self.save()

    def save(self) -> None:
        """Saves the present step, unless it is saved already.

        Raises:
          DivergedError: a weight is not finite, so that this checkpoint would be of no use.
        """
        for variable in self._classifier.weights:
            if not np.isfinite(tf.keras.backend.get_value(variable)).all():
                raise DivergedError(
                    f"weight {variable.name} is not finite at step {self.step}; the last good "
                    f"checkpoint is kept: {self._manager.latest_checkpoint}."
                )
        newest = self._manager.latest_checkpoint
        if newest is None or not newest.endswith(f"-{self.step}"):
            self._manager.save(checkpoint_number=self.step)
