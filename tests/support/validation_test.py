from __future__ import annotations

import math

import numpy as np
import pytest

from spatial_keras.support import validation

NAMES = ("cifar10", "cifar100", "svhn_cropped")


@pytest.mark.parametrize("name", NAMES)
def test_check_name_returns_an_allowed_name(name):
    assert validation.check_name("data set", name, iter(NAMES)) == name


@pytest.mark.parametrize(
    "name, hint", [("cifar1O", "cifar10"), ("svhn", "svhn_cropped"), ("CIFAR100", "cifar100")]
)
def test_check_name_suggests_the_nearest(name, hint):
    with pytest.raises(ValueError) as error:
        validation.check_name("data set", name, NAMES)
    message = str(error.value)
    assert message.startswith(f"unknown data set '{name}'")
    assert (f"did you mean '{hint}'?" in message) if hint else ("did you mean" not in message)
    assert message.endswith("Allowed: cifar10, cifar100, svhn_cropped.")
    assert "\n" not in message


@pytest.mark.parametrize("name", ["", "zzz", None, 3])
def test_check_name_without_a_near_name(name):
    with pytest.raises(ValueError, match=rf"^unknown model '{name}'\. Allowed: cifar10, "):
        validation.check_name("model", name, NAMES)


def test_the_nearest_name_may_differ_in_its_case():
    assert "did you mean 'VGG16'?" in validation.unknown_name("model", "vgg61", ["VGG16", "ResNet"])
    assert "did you mean 'lamb'?" in validation.unknown_name("optimizer", "LAMB", ["lamb", "sgd"])


def test_unknown_name_shows_at_most_twenty():
    message = validation.unknown_name("model", "x", [f"name{i}" for i in range(30)])
    assert "name19, ..." in message
    assert "name20" not in message


@pytest.mark.parametrize(
    "value, low, high",
    [(0, 0, None), (1.5, 0, 1.5), (-3, None, None), (np.float32(2), 1, 3), (np.int64(2), 2, 2)],
)
def test_check_range_returns_the_value(value, low, high):
    assert validation.check_range("x", value, low, high) is value


def test_check_range_refuses():
    for value, low, high, exclusive_low, message in [
        (-1, 0, None, False, "x must be at least 0, got -1; the nearest allowed is 0."),
        (0, 0, None, True, "x must be more than 0, got 0."),
        (181, 0, 180, False, "x must be in [0, 180], got 181; the nearest allowed is 180."),
        (0.0, 0, 1, True, "x must be in (0, 1], got 0.0."),
        (3, None, 2, False, "x must be at most 2, got 3; the nearest allowed is 2."),
        (math.nan, 0, 1, False, "x must be in [0, 1], got nan."),
        (math.inf, None, None, False, "x must be finite, got inf."),
        (-math.inf, None, 0, False, "x must be at most 0, got -inf."),
    ]:
        with pytest.raises(ValueError) as error:
            validation.check_range("x", value, low, high, exclusive_low=exclusive_low)
        assert str(error.value) == message


def test_check_range_refuses_what_is_no_number():
    for value in [True, "3", None, [1], 1j]:
        with pytest.raises(TypeError, match="^x must be a number, got "):
            validation.check_range("x", value)


@pytest.mark.parametrize("value", [2, np.int32(2), np.uint8(2)])
def test_check_integer_returns_an_int(value):
    result = validation.check_integer("k", value, 1)
    assert result == 2
    assert type(result) is int


def test_check_integer_refuses_other_types():
    for value in [2.0, True, "2", None, np.float32(2)]:
        with pytest.raises(TypeError, match="^k must be an integer, got "):
            validation.check_integer("k", value)


def test_check_integer_refuses_out_of_range():
    for value, nearest in [(0, 1), (11, 10)]:
        message = rf"^k must be in \[1, 10\], got {value}; the nearest allowed is {nearest}\.$"
        with pytest.raises(ValueError, match=message):
            validation.check_integer("k", value, 1, 10)
