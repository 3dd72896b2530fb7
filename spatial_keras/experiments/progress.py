"""A live progress bar: loss, accuracies and steps per second."""

from __future__ import annotations

import sys
import time
from typing import Any

import tqdm

from spatial_keras.callbacks import StepCallback

# So many executions give an estimate of the rest, which is said where it is more seconds than that.
_ESTIMATED_FROM, _SHORT = 10, 60
_SHOWN = {"loss": "loss", "natural_accuracy": "natural", "worst_accuracy": "worst"}


def bar(
    total: int | None, description: str, unit: str, initial: int = 0, is_shown: bool = True
) -> tqdm.tqdm:
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
        disable=not is_shown,
    )


class _Estimate:
    """Tells once how long the rest takes, when some executions without tracing are over."""

    def __init__(self) -> None:
        self._executions = 0

    def of(self, done: int, left: int) -> str | None:
        """Returns the time as text, where it is long; to be called after every execution.

        Args:
          done: what is done, in any unit.
          left: what is left.
        """
        self._executions += 1
        if self._executions == 1:  # it has the tracing
            self._start, self._done = time.monotonic(), done
        if self._executions != 1 + _ESTIMATED_FROM:
            return None
        seconds = left * (time.monotonic() - self._start) / (done - self._done)
        return tqdm.tqdm.format_interval(seconds) if seconds > _SHORT else None


class PassBar:
    """Shows an evaluation's passes, the images that survived so far, and at most how long it takes.

    The last one stands in a line of its own too, as soon as it is known.

    Args:
      description: what is evaluated.
      is_shown: or nothing is shown, as another process does.
    """

    def __init__(self, description: str, is_shown: bool = True) -> None:
        self._bar = bar(None, description, " passes", is_shown=is_shown)
        self._description, self._is_shown = description, is_shown
        self._estimate = _Estimate()

    def __enter__(self) -> PassBar:
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.close()

    def update(self, passes: int, open_passes: int, standing: int | None = None) -> None:
        """Shows the state.

        Args:
          passes: passes done.
          open_passes: passes to come, should no further image break.
          standing: images that no transformation has broken, where that is asked.
        """
        self._bar.total = passes + open_passes
        if standing is not None:
            self._bar.set_postfix(survived=standing, refresh=False)
        self._bar.update(passes - self._bar.n)
        if self._is_shown and (span := self._estimate.of(passes, open_passes)):
            line = f"{self._description}: {open_passes:,} passes more at most, about {span}."
            self._bar.write(line, file=sys.stderr)


class ProgressBar(StepCallback):
    """Shows a training run's progress.

    Args:
      steps: steps of the whole run.
      first_step: the step that it continues from.
      is_shown: or nothing is shown, as another process does.
    """

    def __init__(self, steps: int, first_step: int = 0, is_shown: bool = True) -> None:
        super().__init__()
        self._steps, self._first_step, self._is_shown = steps, first_step, is_shown
        self._bar: Any = None  # a tqdm.tqdm from the beginning of the training on
        self._estimate = _Estimate()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *error: Any) -> None:
        """Closes the bar where training ends with an error, whose message follows."""
        if self._bar is not None:
            self._bar.close()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the bar."""
        self._bar = bar(self._steps, "train", " steps", self._first_step, self._is_shown)

    def on_steps_end(self, steps: int, logs: dict[str, Any]) -> None:
        """Moves on by the steps taken."""
        shown = {
            short: f"{float(logs[name]):.3f}" for name, short in _SHOWN.items() if name in logs
        }
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(steps)
        left = self._steps - self._bar.n
        # A bar that is hidden does not count.
        if self._is_shown and (span := self._estimate.of(self._bar.n, left)):
            self._bar.write(f"About {span} for the other {left:,} steps.", file=sys.stderr)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the bar."""
        self._bar.close()
