"""Ctrl-C, SIGTERM and the end of the time allowed: an end at which nothing is lost.

Training continues to the end of its step and saves a checkpoint; everything else ends at once, as
its files are whole or not there.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

# Signal -> (what it is called, the exit code that shells give it; that of `timeout` for the time).
_SIGNALS = {
    signal.SIGINT: ("interrupted", 130),
    signal.SIGTERM: ("terminated", 143),
    signal.SIGALRM: ("the time of --max_time is over", 124),
}


class InterruptedRunError(BaseException):
    """The process was asked to end; no `except Exception` shall stop this.

    Attributes:
      code: the exit code.
    """

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class _State:
    """Of this process, as signals are."""

    is_training = False
    asked: int | None = None
    # Whether all workers end after the same step: one alone would leave the others waiting.
    together = False
    goes_along = False


@contextlib.contextmanager
def handled(max_time: float | None = None) -> Iterator[None]:
    """Within, signals and the end of the time raise InterruptedRunError.

    Args:
      max_time: the seconds allowed; None for no end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    _State.asked, _State.goes_along = None, False
    before = {number: signal.signal(number, _on_signal) for number in _SIGNALS}
    if max_time is not None:
        signal.setitimer(signal.ITIMER_REAL, max_time)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        _State.asked, _State.goes_along = None, False


def take_back() -> None:
    """Has SIGTERM come here again: TensorFlow takes it for its workers, and does nothing at it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _on_signal(number: int, frame: object) -> None:
    # A second signal does not wait.
    if _State.is_training and _State.asked is None:
        _State.asked = number
    else:
        raise InterruptedRunError(*_SIGNALS[signal.Signals(number)])


@contextlib.contextmanager
def training(together: bool = False) -> Iterator[None]:
    """Within, a signal waits for `end_if_due`, at the end of the step.

    Args:
      together: whether it waits for `go_along`, too, by which all workers end after the same step.
    """
    _State.is_training, _State.together = True, together
    try:
        yield
    finally:
        _State.is_training = _State.together = False
    end_if_due("")


def is_asked() -> bool:
    """Returns whether the process was asked to end."""
    return _State.asked is not None


def is_due() -> bool:
    """Returns whether the process is to end now."""
    return _State.goes_along or (is_asked() and not _State.together)


def go_along() -> None:
    """Has the process end now, as a worker was asked to: this one or another."""
    _State.goes_along = True


def end_if_due(state: str) -> None:
    """Raises InterruptedRunError if the process is to end now.

    Args:
      state: how far it has come, for people.
    """
    if is_due():
        reason, code = _SIGNALS[signal.Signals(_State.asked or signal.SIGTERM)]
        raise InterruptedRunError(f"{reason}; {state}" if state else reason, code)
