"""Ctrl-C, SIGTERM, SIGHUP and the end of the time allowed: an end at which nothing is lost.

Training continues to the end of its step and saves a checkpoint; everything else ends at once, as
its files are whole or not there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

# Signal -> (what it is called, the exit code that shells give it; that of `timeout` for the time).
_SIGNALS = {
    getattr(signal, name): end
    for name, end in {
        "SIGINT": ("interrupted", 130),
        "SIGTERM": ("terminated", 143),
        "SIGHUP": ("the terminal was closed", 129),
        "SIGALRM": ("the time of --max_time is over", 124),
    }.items()
    if hasattr(signal, name)
}


class InterruptedRunError(BaseException):
    """The process was asked to end; no `except Exception` shall stop this.

    Attributes:
      code: the exit code.
    """

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class DivergedError(ArithmeticError):
    """The loss, a weight or the outputs of a run are no longer finite numbers."""


class _State:
    """Of this process, as signals are."""

    is_training = False
    # The error output of what is ended at once, whatever it does.
    ends_at_once: int | None = None
    # Those of the outputs that are a terminal.
    terminals: tuple[int, ...] = ()
    asked: int | None = None
    # Whether all workers end after the same step: one alone would leave the others waiting.
    together = False
    goes_along = False


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Within, signals and the end of the time of `allow` raise InterruptedRunError."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    _State.asked, _State.goes_along = None, False
    _State.terminals = tuple(number for number in (1, 2) if os.isatty(number))
    # `nohup` has a command ignore what it is not to end at.
    numbers = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _on_signal) for number in numbers}
    try:
        yield
    finally:
        allow(None)
        for number, handler in before.items():
            signal.signal(number, handler)
        _State.asked, _State.goes_along = None, False


def allow(seconds: float | None) -> None:
    """Ends the process after this time, from now on; None for no end."""
    if seconds is not None or hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds or 0)


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Within, a signal ends the process: what is being imported may hold an exception back."""
    _State.ends_at_once = os.dup(2)
    try:
        yield
    finally:
        os.close(_State.ends_at_once)
        _State.ends_at_once = None


def take_back() -> None:
    """Has SIGTERM come here again: TensorFlow takes it for its workers, and does nothing at it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _on_signal(number: int, frame: object) -> None:
    reason, code = _SIGNALS[signal.Signals(number)]
    if _State.ends_at_once is not None:
        os.write(_State.ends_at_once, f"{reason}.\n".encode())
        os._exit(code)
    if reason == "the terminal was closed":
        for output in _State.terminals:  # writing there would fail
            os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    # A second signal does not wait.
    if _State.is_training and _State.asked is None:
        _State.asked = number
    else:
        raise InterruptedRunError(reason, code)


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
