"""A live progress bar: loss, accuracies and steps per second."""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf
import tqdm

_SHOWN = {"loss": "loss", "natural_accuracy": "natural", "worst_accuracy": "worst"}


def bar(total: int, description: str, unit: str, initial: int = 0) -> tqdm.tqdm:
    """Returns a progress bar; where the output is not a terminal, it shows a line now and then."""
    interval = 0.2 if sys.stderr.isatty() else 15
    return tqdm.tqdm(
        total=total,
        initial=initial,
        desc=description,
        unit=unit,
        mininterval=interval,
        maxinterval=max(interval, 10),
        dynamic_ncols=True,
    )


class ProgressBar(tf.keras.callbacks.Callback):
    """Shows a training run's progress.

    Args:
      steps: steps of the whole run.
      first_step: the step that it goes on from.
    """

    def __init__(self, steps: int, first_step: int = 0) -> None:
        super().__init__()
        self._steps, self._first_step = steps, first_step

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the bar."""
        self._bar = bar(self._steps, "train", " steps", self._first_step)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves on by a step."""
        shown = {
            short: f"{float(logs[name]):.3f}" for name, short in _SHOWN.items() if name in logs
        }
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the bar."""
        self._bar.close()
