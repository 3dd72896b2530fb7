"""What the zoo's command refuses."""

import pytest

from spatial_keras.configuration.zoo_config import ZooConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"purpose": "tests"}, "--purpose has no effect without --add"),
        ({"leaderboard": "a.html"}, "--leaderboard must be NAME.md, got 'a.html'"),
        ({"leaderboard": "/dev/null/a.md"}, "--leaderboard: '/dev/null' is a file"),
    ],
)
def test_what_nobody_can_mean_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ZooConfig(**values)
