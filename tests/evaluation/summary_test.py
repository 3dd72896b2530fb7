"""Tables, JSON and CSV against counts made by hand."""

import csv
import io
import json

import numpy as np
import pytest

from spatial_keras.evaluation import GridOutcome, Outcome, Report

LABELS = np.array([0, 0, 1, 1, 3], np.int32)


def outcome(name, right, angles=(0, 0, 0, 0, 0), kind=Outcome, **more):
    transformations = np.zeros([5, 3], np.float32)
    transformations[:, 2] = angles
    margins = np.where(np.asarray(right) > 0, 1.5, -0.25).astype(np.float32)
    return kind(name, np.asarray(right), transformations, margins, 5, 0.5, "", **more)


@pytest.fixture(name="report")
def make_report():
    natural = outcome("natural", [True, True, True, True, False])
    grid = outcome(
        "grid", [True, True, True, False, False], (30, -30, 10, 29, 0), GridOutcome,
        damaging=np.zeros([5, 1, 3]), spacing=np.ones(3), exhaustive=3875,
    )  # fmt: skip
    attack = outcome("attack", [True, False, True, False, False], (30, -29, 11, 29, 0))
    return Report([natural, grid, attack], LABELS, ("a", "b", "c", "d"), ["A note."])


def test_measures_have_accuracy_interval_and_cost(report):
    measures = report.measures()
    assert list(measures) == ["natural", "grid", "attack"]
    assert measures["grid"]["accuracy"] == pytest.approx(0.6)
    assert (measures["grid"]["low"], measures["grid"]["high"]) == report.outcomes["grid"].interval
    assert (measures["grid"]["passes"], measures["grid"]["seconds"]) == (5, 0.5)
    assert measures["grid"]["exhaustive_passes"] == 3875
    assert "exhaustive_passes" not in measures["natural"]


def test_classes_without_images_are_left_out(report):
    assert report.per_class() == {
        "a": {"images": 2, "natural": 1.0, "grid": 1.0, "attack": 0.5},
        "b": {"images": 2, "natural": 1.0, "grid": 0.5, "attack": 0.5},
        "d": {"images": 1, "natural": 0.0, "grid": 0.0, "attack": 0.0},
    }


def test_notes_say_what_the_attack_broke(report):
    assert report.notes == [
        "A note.", "The attack broke 1 of the 3 images that the grid calls robust.",
    ]  # fmt: skip


def test_worst_values_are_the_attacks(report):
    assert list(report.worst_values()) == ["tx", "ty", "rotation"]
    found = report.worst_values()["rotation"]
    edges = np.array(found["edges"])
    assert len(edges) == 13 and edges[0] == -30 and edges[-1] == 30
    assert (sum(found["broken"]), sum(found["standing"])) == (3, 2)
    assert found["broken"][0] == 1 and found["broken"][-1] == 1  # -29 and 29
    assert found["standing"][-1] == 1 and found["standing"][8] == 1  # 30 and 11


def test_worst_values_need_the_grid():
    assert Report([outcome("natural", [True] * 5)], LABELS).worst_values() is None


def test_everything_goes_into_json(report):
    values = json.loads(json.dumps(report.to_dict()))
    assert values["images"] == 5 and values["measures"] == report.measures()
    assert values["per_class"] == report.per_class() and values["notes"] == report.notes
    assert values["worst_values"] == report.worst_values()


def test_csv_has_a_line_per_image(report):
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [row["class"] for row in rows] == ["a", "a", "b", "b", "d"]
    assert [row["attack_right"] for row in rows] == ["1", "0", "1", "0", "0"]
    assert rows[1]["attack_rotation"] == "-29" and rows[1]["grid_rotation"] == "-30"
    assert rows[4]["natural_margin"] == "-0.25"
    assert "natural_tx" not in rows[0]


def test_classes_are_numbers_without_names():
    report = Report([outcome("random", [0.5, 1, 1, 0, 0.25])], LABELS)
    assert list(report.per_class()) == ["0", "1", "3"]
    assert report.per_class()["0"]["random"] == 0.75
    assert next(csv.DictReader(io.StringIO(report.to_csv())))["random_right"] == "0.5"
