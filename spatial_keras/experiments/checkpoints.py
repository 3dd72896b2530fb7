"""Checkpoints from which a killed run continues exactly, and the stop at a loss that is not finite.

Keras's BackupAndRestore is not exact: it repeats steps or restarts the data's order. Here a
checkpoint is the classifier, the optimizer, the step and the timings; order and draws are rebuilt
from the step.
"""

from __future__ import annotations

import glob
import pathlib
import re
import shutil
import tempfile
import textwrap
import time
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.callbacks import StepCallback, is_due
from spatial_keras.experiments import interruption
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.experiments.step_times import StepTimes
from spatial_keras.support import compat, files
from spatial_keras.training.robust_model import RobustModel

# What TensorFlow raises for a damaged file, and for one of another model.
_UNREADABLE = (tf.errors.OpError, AssertionError, ValueError, LookupError, RuntimeError)
_KEPT = 2
_FILES = "ckpt-"


class Timings(tf.Module):
    """The seconds that a run has taken so far, over all processes that worked on it."""

    def __init__(self) -> None:
        super().__init__()
        self.training = tf.Variable(0.0, dtype=tf.float64)
        # Of the logs, [logs].
        self.steps = tf.Variable(np.zeros([0]), shape=[None])
        self.searches = tf.Variable(np.zeros([0]), shape=[None])


class Checkpoints(StepCallback):
    """Saves the model's training state every few steps, and restores the newest.

    A signal, or the end of the time allowed, saves at once and ends the training.

    Args:
      model: a compiled RobustModel.
      folder: where the checkpoints lie.
      every: steps between checkpoints.

    Attributes:
      notes: what was found damaged, for people.
      times: of the steps, which are saved and restored, too.
    """

    def __init__(self, model: RobustModel, folder: pathlib.Path, every: int) -> None:
        super().__init__()
        self.every = every
        self.notes: list[str] = []
        self.times = StepTimes()
        self._classifier = model.classifier
        # All that follows is of this process alone.
        with model.distribute_strategy.scope():
            compat.build_optimizer(model.optimizer, model.classifier.trainable_variables)
        self._step = model.train_steps
        self._timings = Timings()
        self._checkpoint = tf.train.Checkpoint(
            classifier=model.classifier,
            optimizer=model.optimizer,
            step=self._step,
            timings=self._timings,
        )
        self._saved: int | None = None
        self._start: float | None = None
        self.move_to(folder)

    def move_to(self, folder: pathlib.Path) -> None:
        """Goes on in another folder."""
        self.folder = self._place = folder
        if _is_pattern(folder):  # TensorFlow does not read from a path such as b[1]
            self._temporary = tempfile.TemporaryDirectory()
            self._place = pathlib.Path(self._temporary.name, "link")
            self._place.symlink_to(folder.absolute())

    @property
    def step(self) -> int:
        """The number of training steps taken."""
        return int(tf.keras.backend.get_value(self._step))

    @property
    def train_seconds(self) -> float:
        """The time that the steps took, in all processes that worked on the run."""
        now = 0.0 if self._start is None else time.perf_counter() - self._start
        return float(self._timings.training.numpy()) + now

    def restore(self) -> int:
        """Restores the newest checkpoint that reads, if there is one; returns its step (else 0).

        Raises:
          ValueError: there are checkpoints, and none can be read.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder} is a file, where the checkpoints belong.")
        steps = self._steps()
        for step in steps:
            try:
                self._read(step)
            except _UNREADABLE as error:
                reason = textwrap.shorten(str(error) or type(error).__name__, 120)
                self.notes.append(f"checkpoint {self.folder}/{_FILES}{step} is damaged: {reason}.")
            else:
                self._note_loss(steps[0])
                return self.step
        if steps:
            raise ValueError(
                f"no checkpoint in {self.folder} can be read ({self.notes[0]}) They are kept; to "
                "start again, choose another --output_dir."
            )
        return 0

    def _steps(self) -> list[int]:
        """Returns the steps of the checkpoints that are there, the last first."""
        # Their list, which TensorFlow keeps, may itself be damaged.
        found = (re.fullmatch(_FILES + r"(\d+)\.index", file.name) for file in _listed(self.folder))
        return sorted((int(name[1]) for name in found if name), reverse=True)

    def _read(self, step: int) -> None:
        path = str(self._place / f"{_FILES}{step}")
        self._checkpoint.read(path).assert_existing_objects_matched()
        if self.step != step:
            raise ValueError(f"it is of step {self.step}")
        self._saved = step
        self.times.steps[:] = self._timings.steps.numpy()
        self.times.searches[:] = self._timings.searches.numpy()

    def _note_loss(self, newest: int) -> None:
        if self.notes:
            lost = newest - self.step
            self.notes.append(f"going on from step {self.step}; {lost} lost steps are repeated.")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_steps_end(self, steps: int, logs: dict[str, Any]) -> None:
        """Saves when it is time."""
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at step {self.step}{self._kept()}. Try a smaller "
                "--learning_rate."
            )
        if is_due(self.step, steps, self.every) or interruption.is_due():
            self.save()
        interruption.end_if_due(f"step {self.step} is saved")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Saves the end of the training."""
        self.save()
        self._start = None

    def save(self) -> None:
        """Saves the present step, unless it is saved already.

        Raises:
          DivergedError: a weight is not finite, so that this checkpoint would be of no use.
          files.WriteError: it cannot be written; the one before it is still there.
        """
        for variable in self._classifier.weights:
            if not np.isfinite(tf.keras.backend.get_value(variable)).all():
                raise DivergedError(
                    f"weight {variable.name} is not finite at step {self.step}{self._kept()}."
                )
        if self._saved == self.step:
            return
        self._take_time()
        name = f"{_FILES}{self.step}"
        with files.failures_named(self.folder / name):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._checkpoint.write(str(self._place / name))
            except BaseException:
                _remove(self.folder, name)
                raise
        self._saved = self.step
        for step in self._steps()[_KEPT:]:
            _remove(self.folder, f"{_FILES}{step}")

    def _take_time(self) -> None:
        self._timings.training.assign(self.train_seconds)
        if self._start is not None:
            self._start = time.perf_counter()
        self._timings.steps.assign(np.array(self.times.steps, np.float64))
        self._timings.searches.assign(np.array(self.times.searches, np.float64))

    def _kept(self) -> str:
        return "" if self._saved is None else f"; the checkpoint of step {self._saved} is kept"


def _listed(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _remove(folder: pathlib.Path, name: str) -> None:
    """Removes a checkpoint, its index first, and what a killed save left of it."""
    for file in sorted(_listed(folder), key=lambda file: file.suffix != ".index"):
        if file.name == f"{name}_temp":
            shutil.rmtree(file, ignore_errors=True)
        elif re.fullmatch(re.escape(name) + r"\.(index|data-.*)", file.name):
            file.unlink(missing_ok=True)


def _is_pattern(folder: pathlib.Path) -> bool:
    return glob.escape(str(folder)) != str(folder) or "\\" in str(folder)
