"""Shifts may be percentages of the image's size."""

from __future__ import annotations

import pytest

from spatial_keras.configuration import options
from spatial_keras.configuration.run_config import RunConfig
from tests import small


def test_a_percentage_stays_a_text():
    config = RunConfig(max_translation="12.5%")
    assert config.texts()["max_translation"] == "12.5%"
    assert options.differences(RunConfig(max_translation=12.5), config) == {
        "max_translation": ("12.5", "12.5%")
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ten%", "--max_translation must be a number or a percentage, got 'ten%'"),
        ("120%", r"--max_translation in % must be in \[0, 50\], got 120"),
        ("-1%", r"--max_translation in % must be in \[0, 50\], got -1"),
        ("nan%", r"--max_translation in % must be in \[0, 50\], got nan"),
        ("", "--max_translation must be a number or a percentage, got ''"),
    ],
)
def test_what_is_no_percentage_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        small.parsed(f"--max_translation={text}")
    assert small.parsed("--max_translation=10.0%") == RunConfig(max_translation="10%")
