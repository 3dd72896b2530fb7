import pytest

from spatial_keras.configuration.flag import Flag, Option, percentage


def flag(kind, count=None, **limits):
    option = Option("Group", "What it is.", count=count, **limits)
    return Flag("size", "size", kind, count is not None, None, option)


def test_texts_become_values_and_values_texts():
    cases = [
        (flag(int), "5", 5),
        (flag(float), "0.5", 0.5),
        (flag(float, percent=True), "10%", "10%"),
        (flag(int, count=3), "3,1,7", (3, 1, 7)),
        (flag(str), "here", "here"),
    ]
    for each, text, value in cases:
        assert each.parse(text) == value
        assert each.text(value) == text


def test_a_check_of_its_own_comes_after_the_limits():
    def even(name, value):
        if value % 2:
            raise ValueError(f"{name} must be even, got {value}.")

    size = flag(int, low=2, check=even)
    size.check(4)
    size.check(None)
    with pytest.raises(ValueError, match="^--size must be even, got 3"):
        size.check(3)
    with pytest.raises(ValueError, match="^--size must be at least 2, got 1"):
        size.check(1)


def test_percentages():
    assert percentage("12.5%") == 12.5
    with pytest.raises(ValueError, match="^a percentage must be a number with %, got '12'"):
        percentage("12")
