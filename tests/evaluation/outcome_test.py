"""An outcome as a line, as columns, and from the file that keeps it."""

import dataclasses

import numpy as np
import pytest

from spatial_keras import TransformationSet
from spatial_keras.evaluation import GridOutcome, Outcome, Profile, Sample, outcome

SAMPLE = Sample(np.arange(10) % 2, ("a", "b"), range(10), (12, 12), TransformationSet(2, 0, 10))
RIGHT = np.array([True] * 9 + [False])
COMMON = (
    RIGHT, np.zeros([10, 3]), np.where(RIGHT, 1.0, -1.0), SAMPLE.labels, 1234, 2.04, "", SAMPLE
)  # fmt: skip


def test_an_outcome_reads_in_one_line():
    found = Outcome("grid", *COMMON)
    assert str(found) == "grid: 90.0% (59.6% to 98.2%), 1,234 passes, 2.0 s"
    assert found.accuracy == pytest.approx(0.9)


def test_parts_from_their_files_are_the_whole(tmp_path):
    along = np.tile(RIGHT[:, None], 8)
    wholes = (
        Outcome("natural", *COMMON),
        GridOutcome("grid", *COMMON, np.zeros([10, 1, 3]), np.array([5, 5, 3]), 775),
        Profile("profile", *COMMON, RIGHT, along, np.array([5, 5, 3])),
    )
    places = [np.arange(0, 10, 2), np.arange(1, 10, 2)]
    for whole in wholes:
        parts = []
        for rows in places:
            values = {
                name: getattr(whole, name)[rows]
                for name in outcome._PER_IMAGE
                if hasattr(whole, name)
            }
            sample = SAMPLE.part(rows)
            dataclasses.replace(whole, **values, sample=sample).save(tmp_path / "part.npz")
            assert outcome.restore(tmp_path / "part.npz", SAMPLE) is None  # of other images
            parts.append(outcome.restore(tmp_path / "part.npz", sample))
        joined = outcome.join(parts, places, SAMPLE)
        assert type(joined) is type(whole) and joined.passes == 2 * 1234
        for name in outcome._PER_IMAGE:
            if hasattr(whole, name):
                np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_a_profile_has_a_curve_for_each_axis_that_has_values():
    natural, right = np.arange(10) > 1, np.arange(10) > 5
    worst = np.zeros([10, 3], np.float32)
    worst[2:6, 0] = 1, 1, 2, 2
    along = np.tile(right[:, None], 5 + 1 + 3)
    along[2:4, 2] = True
    common = (right, worst, *COMMON[2:])
    found = Profile("profile", *common, natural, along, np.array([5, 5, 3]))
    assert found.half == 0.5
    curves = found.curves()
    assert list(curves) == ["tx", "rotation"]
    assert curves["tx"] == {"values": [-2, -1, 0, 1, 2], "right": [0.5, 0.5, 0.75, 0.5, 0.5]}
    assert curves["rotation"] == {"values": [-10, 0, 10], "right": [0.5] * 3}
    none = dataclasses.replace(found, right=np.ones(10, bool))
    assert none.half is None
