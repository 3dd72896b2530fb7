"""Options that training and evaluation share are the same in both."""

from __future__ import annotations

import dataclasses

import pytest

from spatial_keras.configuration import options
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.run_config import RunConfig

# They say other things to the two commands.
OWN = {"batch_size", "model"}


def limits(kind):
    """What the flags of a command take, by their names."""
    flags = {flag.name: flag for flag in options.own_flags(kind) if flag.name not in OWN}
    return {
        name: (flag.kind, flag.is_tuple, dataclasses.replace(flag.option, group="", help=""))
        for name, flag in flags.items()
    }


def test_flags_of_one_name_take_the_same():
    training, evaluating = limits(RunConfig), limits(EvaluateConfig)
    shared = training.keys() & evaluating.keys()
    assert {"crop", "stream", "fill", "xla", "image_size"} <= shared
    assert [name for name in shared if training[name] != evaluating[name]] == []


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
