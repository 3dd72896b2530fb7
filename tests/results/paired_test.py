"""Pairs of evaluations against counts made by hand, and files that cannot be paired."""

import json

import numpy as np
import pytest
from scipy import stats

from spatial_keras.results import paired
from spatial_keras.support import tables

FLAGS = {"draws": "10", "seed": "0", "composition": "sequential"}


def evaluated(folder, right, **changes):
    """Writes what an evaluation would, worst first."""
    found = {
        "measures": {name: {} for name in right}, "pixels": "abc", "transformations": "rotations",
        "flags": FLAGS, **changes,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(found))
    rows = [[row, f"={row}.png", *values] for row, values in enumerate(zip(*right.values()))]
    columns = ["image", "name", *(f"{name}_right" for name in right)]
    (folder / "evaluation.csv").write_text(tables.to_csv(columns, rows[::-1]))
    return folder / "evaluation.json"


def test_each_image_is_paired_with_itself(tmp_path):
    before = np.array([1] * 60 + [0] * 40)
    after = np.array([0] * 4 + [1] * 56 + [1] * 20 + [0] * 20)
    draws = np.linspace(0, 1, 100)
    other = paired.read(evaluated(tmp_path / "a", {"grid": before, "random": draws}))
    found = paired.compare(other, {"natural": before, "random": draws / 2, "grid": after > 0})
    random, grid = found
    assert (grid.measure, grid.before, grid.after) == ("grid", 0.6, 0.76)
    assert grid.lost == [f"={row}.png" for row in range(4)] and len(grid.gained) == 20
    assert grid.p == pytest.approx(2 * stats.binom.cdf(4, 24, 0.5))
    difference = after - before
    half = 1.96 * difference.std() / 10
    np.testing.assert_allclose([grid.low, grid.high], [0.16 - half, 0.16 + half], atol=0.01)
    assert grid.text.startswith("grid: 60.0% -> 76.0%, +16.0 (")
    assert "loses 4, gains 20 images (p = 0.0015)" in grid.text
    assert not grid.is_worse(0) and random.is_worse(0.24) and not random.is_worse(0.25)
    assert random.p is None
    json.dumps(grid.to_dict())
    (same,) = paired.compare(other, {"grid": before})
    assert (same.low, same.high, same.p) == (0, 0, 1) and not same.is_worse(0)


@pytest.mark.parametrize(
    ("pixels", "words", "flags", "message"),
    [
        ("xyz", "rotations", {}, "is of other images"),
        ("abc", "shifts", {}, "is of rotations, this one of shifts"),
        ("abc", "rotations", {"draws": "20"}, "--draws is 10 there, 20 here"),
        ("abc", "rotations", {"fill": "nearest"}, "--fill is black there, nearest here"),
    ],
)
def test_what_cannot_be_paired_is_refused(tmp_path, pixels, words, flags, message):
    other = paired.read(evaluated(tmp_path / "a", {"random": [1, 0]}))
    other.check("abc", "rotations", {**FLAGS, "fill": "black", "k": "3"})
    with pytest.raises(ValueError, match=message):
        other.check(pixels, words, {**FLAGS, **flags})


def test_what_is_no_evaluation_is_refused(tmp_path):
    file = evaluated(tmp_path / "a", {"grid": [1, 0]})
    for text, message in (
        ("[" * 10**5, "cannot be read"),
        ("{}", "none that evaluate wrote"),
        ('{"measures": {}}', "evaluate again"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            paired.read(file)
    file = evaluated(tmp_path / "a", {"grid": [1, 0]})
    file.with_suffix(".csv").write_text("image,name,grid_right\n0,a,7\n")
    with pytest.raises(ValueError, match="accuracies that cannot be"):
        paired.read(file)
    file.with_suffix(".csv").unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        paired.read(file)
