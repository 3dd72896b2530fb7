"""Options that training and evaluation share are the same in both."""

from __future__ import annotations

import dataclasses

import pytest

from spatial_keras.configuration import options
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.run_config import RunConfig

SHARED = (
    "data_dir",
    "image_size",
    "test_fraction",
    "skip_damaged",
    "fill",
    "xla",
    "distribute",
    "worker_timeout",
)


@pytest.mark.parametrize("name", SHARED)
def test_the_limits_are_the_same(name):
    flags = [
        {flag.name: flag for flag in options.own_flags(kind)}[name]
        for kind in (RunConfig, EvaluateConfig)
    ]
    first, second = (
        dataclasses.replace(flag, option=dataclasses.replace(flag.option, group="", help=""))
        for flag in flags
    )
    assert first == second


@pytest.mark.parametrize("kind", [RunConfig, EvaluateConfig])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"image_size": 0}, "--image_size must be at least 1, got 0"),
        ({"image_size": 2049}, "--image_size must be at most 2048, got 2049"),
        ({"test_fraction": 1.0}, r"--test_fraction must be in \(0, 1\), got 1"),
        ({"fill": "blac"}, "did you mean 'black'"),
        ({"xla": "yes"}, "unknown --xla 'yes'"),
    ],
)
def test_what_is_outside_of_them_is_refused(kind, value, message):
    right = {"run": "a"} if kind is EvaluateConfig else {}
    with pytest.raises(ValueError, match=message):
        kind(**right, **value)
