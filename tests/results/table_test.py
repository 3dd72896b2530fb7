"""Tables of runs as text, against numbers by hand."""

import csv
import io

import numpy as np
import pytest
from scipy import stats

from spatial_keras.results import table
from spatial_keras.results.run_results import Timing
from tests.made_results import results


@pytest.mark.parametrize("values", [[0.5, 0.75], [3.0, 1.0, 4.0, 1.0, 5.0], [0.1] * 7])
def test_mean_and_standard_error(values):
    mean, error = table.mean_and_error(values)
    np.testing.assert_allclose([mean, error], [np.mean(values), stats.sem(values)], atol=1e-15)


def test_too_few_values_have_no_standard_error():
    assert table.mean_and_error([2, 4]) == (3, 1)  # a deviation of sqrt(2), by sqrt(2)
    assert table.mean_and_error([0.25]) == (0.25, None)
    assert table.mean_and_error([]) == (None, None)


def test_the_table_as_markdown_and_csv():
    runs = [
        results("std", seed, *accuracies, timing=Timing(seconds_per_step=0.5 + seed))
        for seed, accuracies in enumerate([(0, 0.5, 0.25), (0.1, 0.7, 0.25), (0.05, 0.6, 0.25)])
    ]
    made = table.Table(
        "Title",
        "Caption.",
        "python a.py",
        [
            table.Row("std", runs),
            table.Row("std_star", runs[:1], [1, 2]),
            table.Row("wo1_at", [], [0], [1], [2, 3]),
        ],
    )
    assert made.to_markdown().splitlines() == [
        "# Title",
        "",
        "| defense | natural, % | random, % | grid, % | seconds per step | runs |",
        "| --- | --- | --- | --- | --- | --- |",
        # The standard errors are 10 / sqrt(3), 0, 5 / sqrt(3) and 1 / sqrt(3).
        "| std | 60.00 ± 5.77 | 25.00 ± 0.00 | 5.00 ± 2.89 | 1.5000 ± 0.5774 | 3 |",
        "| std_star | 50.00 | 25.00 | 0.00 | 0.5000 | 1 (diverged: seeds 1, 2) |",
        "| wo1_at | - | - | - | - | 0 (diverged: seed 0) (at work: seed 1) (damaged: seeds 2, 3) |",
        "",
        "Caption.",
        "",
        "```bash",
        "python a.py",
        "```",
    ]
    std, std_star, wo1_at = csv.DictReader(io.StringIO(made.to_csv()))
    assert std["natural_mean"] == "60" and std["natural_error"] == "5.7735"
    assert std["seconds_per_step_error"] == "0.57735" and std["seconds_per_search_mean"] == ""
    assert std_star["grid_mean"] == "0" and std_star["grid_error"] == ""
    assert (std_star["runs"], std_star["diverged"]) == ("1", "2")
    assert set(wo1_at.values()) == {"wo1_at", "0", "1", ""}


def test_the_mean_of_two_runs_is_rounded_up_at_a_half():
    runs = [results("std", seed, grid) for seed, grid in enumerate((0.49345, 0.49355))]
    assert table.Row("std", runs).cells()[3].startswith("49.35 ± ")
    runs = [results("std", seed, grid) for seed, grid in enumerate((0.4934, 0.4935))]
    assert table.Row("std", runs).cells()[3].startswith("49.35 ± ")  # 49.345
