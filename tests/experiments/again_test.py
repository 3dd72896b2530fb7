"""What is evaluated again: only what results depend on is taken from a file."""

import pathlib

import pytest

from spatial_keras.experiments import again
from spatial_keras.results.evaluations import Evaluated


@pytest.mark.parametrize("name", ["flagfile", "output", "unsafe", "no_such_flag"])
def test_a_flag_that_evaluate_does_not_record_is_refused(name):
    found = {"classifier": "a.keras", "flags": {name: "true"}}
    with pytest.raises(ValueError, match=f"unknown flag '{name}'"):
        again.prepare(Evaluated(pathlib.Path("a.json"), found, (), None, {}))
