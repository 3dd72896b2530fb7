"""The table and the curves of a search, against numbers by hand."""

import csv
import dataclasses
import io

import numpy as np

from spatial_keras.results.run_results import Timing
from spatial_keras.results.trials import Trial, Trials
from tests.made_results import results


def trial(number, grid, weight=1.0, k=10, steps=90, seconds=0.5, **options):
    made = results(
        f"wo{k}_kl_nat",
        grid=grid or 0,
        timing=Timing(seconds_per_step=seconds),
        **{"lambda": str(weight), "steps": str(steps), "natural": 0.9, "random": 0.8, **options},
    )
    return Trial(number, made.config, None if grid is None else made)


def test_the_best_come_first_by_grid_then_by_natural_accuracy():
    found = [
        trial(1, None), trial(2, 0.0), trial(3, 0.5, natural=0.7), trial(4, 0.5), trial(5, 0.6),
        trial(6, None), trial(7, 0.5),
    ]  # fmt: skip
    numbers = [each.number for each in sorted(found, key=lambda each: each.rank)]
    assert numbers == [5, 4, 7, 3, 2, 1, 6]


def test_the_table():
    trials = Trials(
        [trial(2, 0.51, 0.25, k=5), trial(3, 0.5, seconds=None), trial(1, None, 32.0)],
        ["lambda", "k"],
    )
    assert trials.to_markdown("Title", "Caption.") == (
        "# Title\n\n"
        "| trial | lambda | k | natural, % | random, % | grid, % | seconds per step |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| 2 | 0.25 | 5 | 90.0 | 80.0 | 51.0 | 0.5000 |\n"
        "| 3 | 1 | 10 | 90.0 | 80.0 | 50.0 | - |\n"
        "| 1 | 32 | 10 | diverged | - | - | - |\n\nCaption.\n"
    )
    rows = list(csv.DictReader(io.StringIO(trials.to_csv())))
    assert rows[1] == {
        "trial": "3", "lambda": "1", "k": "10", "natural, %": "90.0", "random, %": "80.0",
        "grid, %": "50.0", "seconds per step": "",
    }  # fmt: skip


def test_curves_over_lambda_of_whole_trials():
    one = trial(6, 0.55, 4.0)
    faster = dataclasses.replace(one.results.config, learning_rate=0.05)
    other = Trial(6, faster, dataclasses.replace(one.results, config=faster))
    trials = Trials(
        [
            trial(1, 0.6, 8.0), trial(2, 0.5, 0.5, natural=0.95), trial(3, 0.7, 2.0, k=5),
            trial(4, 0.1, 1.0, steps=30), trial(5, None, 64.0), other,
        ],
        ["lambda", "k"],
    )  # fmt: skip
    ten, five = trials.curves()
    assert (ten.name, five.name) == ("KL, nat, Wo-10", "KL, nat, Wo-5")
    assert ten.group == five.group == "KL"
    np.testing.assert_array_equal(ten.x, [0.5, 4.0, 8.0])
    np.testing.assert_allclose(ten.grid, [[50, 0], [55, 0], [60, 0]])
    np.testing.assert_allclose(ten.natural, [[95, 0], [90, 0], [90, 0]])
    np.testing.assert_allclose(five.grid, [[70, 0]])


def test_no_curves_without_lambda_or_numbers():
    assert Trials([trial(1, 0.6)], ["learning_rate"]).curves() == []
    assert Trials([trial(1, None)], ["lambda"]).curves() == []
