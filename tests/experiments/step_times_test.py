"""Means and shares from the times of the logs."""

from spatial_keras.experiments.step_times import StepTimes


def test_without_logs_there_are_no_times():
    times = StepTimes()
    assert (times.seconds_per_step, times.seconds_per_search, times.data_share) == (3 * (None,))


def test_steps_before_the_search_begins_are_timed_apart():
    times = StepTimes([5.0, 5.0, 9.0, 7.0], [0.0, 0.0, 2.0, 2.0], [0.1, 0.5, 0.3, 0.2])
    assert times.seconds_per_step == (2 * 5 + 2 * 8) / 4
    assert times.seconds_per_search == 2 and times.seconds_per_gradient == 6
    assert times.data_share == 0.25


def test_without_a_search_a_step_is_its_gradient():
    times = StepTimes([3.0, 4.0, 8.0])
    assert times.seconds_per_step == times.seconds_per_gradient == 4
    assert times.seconds_per_search is None
