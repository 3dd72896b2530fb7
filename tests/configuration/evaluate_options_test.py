"""Each flag of an evaluation has its range."""

import pytest

from spatial_keras.configuration.evaluate_config import EvaluateConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grid_counts": (1001, 1001, 1)}, "--grid_counts must give 1,000,000 points at most"),
        ({"max_rotation": 181.0}, "--max_rotation must be at most 180, got 181"),
        ({"draws": 10**9}, "--draws must be at most 10000"),
        ({"output": ""}, "--output must be a text that is not empty"),
    ],
)
def test_what_nobody_can_mean_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        EvaluateConfig(run="a", **values)
