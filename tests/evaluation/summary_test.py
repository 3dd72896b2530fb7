"""Sentence, tables, JSON and CSV against counts made by hand."""

import csv
import io
import json

import numpy as np
import pytest

from spatial_keras import TransformationSet
from spatial_keras.evaluation import GridOutcome, Outcome, Profile, Report, Sample

LABELS = np.array([0, 0, 1, 1, 3], np.int32)
SAMPLE = Sample(
    LABELS, ("a", "b", "=c", "d"), ["0", "1", "2", "3", "4"], (32, 32), TransformationSet()
)


def outcome(name, right, angles=(0, 0, 0, 0, 0), predictions=LABELS, kind=Outcome, **more):
    transformations = np.zeros([5, 3], np.float32)
    transformations[:, 2] = angles
    right, predictions = np.asarray(right), np.asarray(predictions)
    margins = np.where(right == 1, 1.5, -0.25).astype(np.float32)
    passes = 20 if name == "random" else 5
    return kind(name, right, transformations, margins, predictions, passes, 0.5, "", SAMPLE, **more)


@pytest.fixture(name="report", scope="module")
def make_report():
    natural = outcome("natural", [True, True, True, True, False], predictions=[0, 0, 1, 1, 2])
    random = outcome("random", [1, 0.75, 1, 0.5, 0], (0, 3, 0, 29, 5), [0, 1, 1, 0, 2])
    right, counts = [True, True, True, False, False], np.array([1, 1, 3])
    grid = outcome(
        "grid", right, (30, -30, 10, 29, 0), [0, 0, 1, 2, 2], GridOutcome,
        damaging=np.zeros([5, 1, 3]), counts=counts, exhaustive=3875,
    )  # fmt: skip
    attack = outcome("attack", [True, False, True, False, False], (30, -29, 11, 29, 0))
    profile = outcome(
        "profile", right, (0, 0, 0, 6, 0), [0, 0, 1, 2, 2], Profile, natural=natural.right,
        along=np.ones([5, 5], bool), counts=counts,
    )  # fmt: skip
    return Report([natural, random, grid, attack, profile], ["A note."])


def test_the_verdict_has_the_strictest_measure_and_where_half_breaks(report):
    assert report.verdict == (
        "80% (38 to 96) right as they are; 40% (12 to 77) under all rotations up to 30 degrees and "
        "shifts up to 3 of 32 pixels; half of what breaks does so within 6 degrees and 0.6 pixels. "
        "In brackets 95% intervals, of 5 images."
    )


def test_measures_have_accuracy_interval_and_cost(report):
    measures = report.measures()
    assert list(measures) == ["natural", "random", "grid", "attack"]
    assert measures["grid"]["accuracy"] == pytest.approx(0.6)
    assert (measures["grid"]["low"], measures["grid"]["high"]) == report.outcomes["grid"].interval
    assert (measures["grid"]["passes"], measures["grid"]["seconds"]) == (5, 0.5)
    assert measures["grid"]["exhaustive_passes"] == 3875
    assert "exhaustive_passes" not in measures["natural"]


def test_classes_without_images_are_left_out(report):
    assert report.per_class() == {
        "a": {"images": 2, "natural": 1.0, "random": 0.875, "grid": 1.0, "attack": 0.5},
        "b": {"images": 2, "natural": 1.0, "random": 0.75, "grid": 0.5, "attack": 0.5},
        "d": {"images": 1, "natural": 0.0, "random": 0.0, "grid": 0.0, "attack": 0.0},
    }


def test_notes_say_what_the_attack_broke(report):
    assert report.notes == [
        "A note.", "The attack broke 1 of the 3 images that the grid calls robust.",
    ]  # fmt: skip


def test_what_becomes_what_is_of_images_right_as_they_are(report):
    assert report.becomes() == [
        {"label": "a", "prediction": "b", "images": 1},
        {"label": "b", "prediction": "=c", "images": 1},
    ]


def test_the_share_is_of_images_right_as_they_are(report):
    share = report.share()
    assert (share["images"], share["draws"], share["broken"]) == (4, 16, 3 / 16)
    assert 0.4 < share["at_most"] < 0.42  # Clopper-Pearson, of 3 of 16
    assert Report([outcome("natural", [True] * 5)]).share() is None


def test_everything_goes_into_json(report):
    values = json.loads(json.dumps(report.to_dict()))
    assert next(iter(values)) == "verdict" and values["verdict"] == report.verdict
    assert values["images"] == 5 and values["measures"] == report.measures()
    assert values["per_class"] == report.per_class() and values["notes"] == report.notes
    assert values["axes"]["rotation"]["right"] == [1, 1, 1]
    assert Report([outcome("natural", [True] * 5)]).to_dict()["axes"] is None


def test_csv_has_a_line_per_image(report):
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [row["image"] for row in rows] == ["4", "1", "3", "0", "2"]
    assert [row["label"] for row in rows] == ["d", "a", "b", "a", "b"]
    assert [row["prediction_there"] for row in rows] == ["'=c", "b", "'=c", "", ""]
    assert [row["survives"] for row in rows] == ["0", "0", "0", "1", "1"]
    assert [row["rotation"] for row in rows] == ["0", "3", "6", "", ""]
    assert [row["grid_right"] for row in rows] == ["0", "1", "0", "1", "1"]
