"""The table and the curves of a search, against numbers by hand."""

import csv
import io

import numpy as np

from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results.trials import Trial, Trials


def trial(number, grid, weight=1.0, k=10, steps=90, natural=0.9, seconds=0.5):
    config = RunConfig(lambda_=weight, defense=f"wo{k}_kl_nat", steps=steps)
    accuracies = {"natural": natural, "random": 0.8, "grid": grid}
    results = {"accuracies": accuracies, "timing": {"seconds_per_step": seconds}}
    return Trial(number, config, None if grid is None else results)


def test_the_best_come_first_by_grid_then_by_natural_accuracy():
    found = [
        trial(1, None), trial(2, 0.0), trial(3, 0.5, natural=0.7), trial(4, 0.5), trial(5, 0.6),
        trial(6, None), trial(7, 0.5),
    ]  # fmt: skip
    numbers = [each.number for each in sorted(found, key=lambda each: each.rank)]
    assert numbers == [5, 4, 7, 3, 2, 1, 6]


def test_the_table():
    trials = Trials(
        [
            trial(2, 0.51, 0.25, k=5),
            trial(3, 0.5, seconds=None),
            trial(1, None, 32.0),
        ],
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
    trials = Trials(
        [
            trial(1, 0.6, 8.0), trial(2, 0.5, 0.5, natural=0.95), trial(3, 0.7, 2.0, k=5),
            trial(4, 0.1, 1.0, steps=30), trial(5, None, 64.0),
        ],
        ["lambda", "k"],
    )  # fmt: skip
    ten, five = trials.curves()
    assert (ten.name, five.name) == ("KL, nat, Wo-10", "KL, nat, Wo-5")
    assert ten.group == five.group == "KL"
    np.testing.assert_array_equal(ten.x, [0.5, 8.0])
    np.testing.assert_allclose(ten.grid, [[50, 0], [60, 0]])
    np.testing.assert_allclose(ten.natural, [[95, 0], [90, 0]])
    np.testing.assert_allclose(five.grid, [[70, 0]])


def test_no_curves_without_lambda_or_numbers():
    assert Trials([trial(1, 0.6)], ["learning_rate"]).curves() == []
    assert Trials([trial(1, None)], ["lambda"]).curves() == []
