"""Signals and the end of the time allowed: when they end what, and with which exit code."""

import os
import signal

import pytest

from spatial_keras.experiments import interruption
from spatial_keras.experiments.interruption import InterruptedRunError

CODES = {
    signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGALRM: 124
}  # fmt: skip


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_signal_ends_at_once_with_its_code(number, code):
    with pytest.raises(InterruptedRunError) as end, interruption.handled():
        os.kill(os.getpid(), number)
        pytest.fail("went on")
    assert end.value.code == code


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_in_training_it_waits_for_the_end_of_the_step(number, code):
    with pytest.raises(InterruptedRunError, match="; step 3 is saved") as end:
        with interruption.handled(), interruption.training():
            assert not interruption.is_due()
            os.kill(os.getpid(), number)
            assert interruption.is_due()
            interruption.end_if_due("step 3 is saved")
    assert end.value.code == code and not interruption.is_due()


def test_after_the_last_step_it_ends_too():
    with pytest.raises(InterruptedRunError), interruption.handled():
        with interruption.training():
            os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("went on")


def test_a_second_signal_does_not_wait():
    with pytest.raises(InterruptedRunError), interruption.handled(), interruption.training():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("went on")


def test_a_worker_goes_along_with_one_that_was_asked_to_end():
    with pytest.raises(InterruptedRunError, match="step 3 is saved") as end:
        with interruption.handled(), interruption.training():
            interruption.go_along()
            os.kill(os.getpid(), signal.SIGTERM)  # its own signal, which waits like a first one
            assert interruption.is_due()
            interruption.end_if_due("step 3 is saved")
    assert end.value.code == CODES[signal.SIGTERM] and not interruption.is_due()


def test_workers_end_after_the_same_step():
    """Asked while a step is taken, one of them does not end before the others know."""
    with pytest.raises(InterruptedRunError, match="step 4 is saved") as end:
        with interruption.handled(), interruption.training(together=True):
            os.kill(os.getpid(), signal.SIGINT)
            assert interruption.is_asked() and not interruption.is_due()
            interruption.end_if_due("step 3 is saved")
            interruption.go_along()
            interruption.end_if_due("step 4 is saved")
    assert end.value.code == CODES[signal.SIGINT]
    assert not interruption.is_asked() and not interruption.is_due()


def test_no_except_exception_stops_it():
    with pytest.raises(InterruptedRunError), interruption.handled():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Exception:
            pytest.fail("stopped")


def test_the_time_is_over():
    with pytest.raises(InterruptedRunError, match="max_time") as end, interruption.handled():
        interruption.allow(7200)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= 7200
        os.kill(os.getpid(), signal.SIGALRM)
        pytest.fail("went on")
    assert end.value.code == 124


def test_the_handlers_are_put_back():
    before = [signal.getsignal(number) for number in CODES]
    with interruption.handled():
        interruption.allow(7200)
        assert [signal.getsignal(number) for number in CODES] != before
    assert [signal.getsignal(number) for number in CODES] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
