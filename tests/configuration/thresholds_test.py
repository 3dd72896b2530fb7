"""What must be reached, from texts."""

import pytest

from spatial_keras.configuration import thresholds


def test_numbers_and_percentages():
    found = thresholds.parse(["grid:0.8", "natural:95%"], ["natural", "grid"])
    assert found == {"grid": 0.8, "natural": 0.95}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grd:0.8", "unknown measure 'grd': did you mean 'grid'"),
        ("grid", "must be MEASURE:NUMBER such as grid:0.8, got 'grid'"),
        ("grid:x", "must be MEASURE:NUMBER"),
        ("grid:80", r"accuracy of 'grid' must be in \[0, 1\], got 80"),
        ("grid:nan", "accuracy of 'grid' must be in"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        thresholds.parse([text], ["natural", "grid"])
