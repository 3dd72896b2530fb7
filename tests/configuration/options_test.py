"""Configurations: checked when made, built from flat values, compared, written as texts."""

from __future__ import annotations

import dataclasses

import pytest

from spatial_keras.configuration import options
from spatial_keras.configuration.options import Config, nested, option


@dataclasses.dataclass(frozen=True)
class Inner(Config):
    lambda_: float | None = option(None, "A", "A weight.", low=0)
    steps: int = option(8, "A", "Steps.", low=1, high=100)
    share: float = option(0.0, "A", "A share.", low=0, high=1, exclusive_high=True)
    sizes: tuple[float, ...] | None = option(
        None, "B", "Sizes.", count=2, low=0, exclusive_low=True
    )
    names: tuple[str, ...] = option(("a",), "B", "Names.", choices=("a", "b"))
    folder: str = option("x", "B", "Where.", recorded=False)


@dataclasses.dataclass(frozen=True)
class Outer(Config):
    folder: str = option("y", "C", "Where else.")
    count: int = option(1, "C", "How many.")
    inner: Inner = nested(Inner, without=("names",), steps=3)

    def check(self):
        if self.count == self.inner.steps:
            raise ValueError("--count must not be --steps.")


def test_flags_are_those_of_both():
    flags = {flag.name: (flag.owner, flag.default) for flag in options.all_flags(Outer)}
    assert flags == {
        "folder": (None, "y"),
        "count": (None, 1),
        "lambda": ("inner", None),
        "steps": ("inner", 3),
        "share": ("inner", 0.0),
        "sizes": ("inner", None),
    }
    assert Outer().inner.steps == 3 and Inner().steps == 8


def test_flat_values_find_their_places():
    values = {"folder": "z", "count": 2, "lambda": 0.5, "steps": 9, "share": 0.25, "sizes": None}
    found = options.build(Outer, values)
    assert found == Outer("z", 2, Inner(lambda_=0.5, steps=9, share=0.25))


def test_texts_are_of_what_is_set_and_recorded():
    found = Outer(inner=Inner(lambda_=0.1, sizes=(2.0, 0.5)))
    assert found.texts() == {
        "folder": "y", "count": "1", "lambda": "0.1", "steps": "8", "share": "0.0",
        "sizes": "2,0.5",
    }  # fmt: skip


def test_differences_are_named_as_texts():
    first, second = Inner(lambda_=1.0, folder="here"), Inner(sizes=(1.0, 2.0), folder="there")
    assert options.differences(first, second) == {
        "lambda": ("1.0", "not set"),
        "sizes": ("not set", "1,2"),
    }
    assert options.differences(first, first) == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lambda_": -1.0}, "--lambda must be at least 0, got -1"),
        ({"lambda_": float("nan")}, "--lambda must be at least 0, got nan"),
        ({"steps": 0}, r"--steps must be in \[1, 100\], got 0"),
        ({"steps": None}, "--steps must be an integer, got None"),
        ({"steps": 2.5}, "--steps must be an integer, got 2.5"),
        ({"share": 1.0}, r"--share must be in \[0, 1\), got 1"),
        ({"sizes": (1.0,)}, "--sizes must be 2 numbers with commas between, got '1'"),
        ({"sizes": (1.0, 0.0)}, "--sizes must be more than 0, got 0"),
        ({"names": ()}, "--names must be names with commas between, got ''"),
        ({"names": ("a", "c")}, "unknown --names 'c'"),
    ],
)
def test_values_are_checked_when_it_is_made(values, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Inner(**values)


def test_values_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="--count must not be --steps"):
        Outer(count=3)


def test_nothing_can_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Inner().steps = 5


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("1h30m", 5400), ("90s", 90), ("1h1m1s", 3661)]
)
def test_times(text, seconds):
    assert options.seconds(text) == seconds


def test_what_is_no_time_is_refused():
    for text in ["", "2", "h", "-1h", "2d", "1m1h", "0s", "1e9s", "9" * 30 + "h"]:
        with pytest.raises(ValueError, match="^--max_time must be"):
            options.seconds(text)
