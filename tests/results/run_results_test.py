"""Results come back from JSON as they were, and none that cannot be true."""

import dataclasses
import json

import pytest

from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results import runs_csv
from spatial_keras.results.run_results import Accuracies, Results, Timing
from spatial_keras.support import tables
from tests import made_results

FULL = Results(
    RunConfig(
        defense="pgd5_kl",
        lambda_=0.1 + 0.2,
        search_options=(("pgd_step_sizes", (2.0, 0.5, 30.0)),),
        mirror=False,
        max_translation="10%",
        validation_images=300,
    ),
    Accuracies(0.75, 1 / 3, 0.5, 300),
    1137,
    Accuracies(1.0, grid=0.5, images=100),
    Timing(12.5, 0.25, 0.125, -0.001, 0.5),
    replicas=2,
    damaged_images_left_out=3,
    versions=made_results.VERSIONS,
)


@pytest.mark.parametrize("results", [FULL, made_results.results()], ids=["full", "sparse"])
def test_results_survive_json(results):
    assert Results.from_json(results.to_json()) == results


def test_where_files_lie_is_not_recorded(tmp_path):
    config = dataclasses.replace(FULL.config, output_dir="x", data_dir=str(tmp_path))
    results = dataclasses.replace(FULL, config=config)
    assert Results.from_json(results.to_json()) == FULL


def test_a_flag_that_is_not_recorded_has_its_default():
    found = json.loads(FULL.to_json())
    del found["flags"]["max_rotation"]
    assert Results.from_json(json.dumps(found)).config.max_rotation == 30


def replaced(place, value):
    found = json.loads(FULL.to_json())
    *path, name = place.split(".")
    inner = found
    for part in path:
        inner = inner[part]
    inner[name] = value
    return json.dumps(found)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("accuracies.grid", "0.5", "grid accuracy must be a number, got '0.5'"),
        ("accuracies.grid", 1.5, "got 1.5"),
        ("accuracies.natural", float("nan"), "got nan"),
        ("accuracies.random", True, "got True"),
        ("accuracies.random", None, "random"),
        ("accuracies.images", 0, "got 0"),
        ("accuracies.images", 10**400, "images"),
        ("accuracies.other", 0.5, "other"),
        ("training_accuracies", [], "training_accuracies"),
        ("training_accuracies.grid", -0.1, "got -0.1"),
        ("train_images", 1.5, "train_images must be an integer, got 1.5"),
        ("replicas", "2", "replicas"),
        ("damaged_images_left_out", -1, "damaged"),
        ("timing", None, "timing"),
        ("timing.seconds_per_step", -1, "seconds_per_step"),
        ("timing.train_seconds", float("inf"), "train_seconds"),
        ("timing.seconds_per_gradient", 10**400, "seconds_per_gradient"),
        ("versions", {"numpy": 1}, "versions"),
        ("versions", None, "versions"),
        ("flags", None, "flags"),
        ("flags.steps", 800, "--steps must be a text, got 800"),
        ("flags.steps", "many", "got 'many'"),
        ("flags.width", "0", "--width must be more than 0, got 0"),
        ("flags.defense", "wo10_lk", "unknown defense 'wo10_lk'"),
        ("flags.mirror", "perhaps", "perhaps"),
        ("flags.stepps", "3", "did you mean 'steps'"),
        ("flags.output_dir", "/etc", "output_dir"),
        ("flags.unsafe", "True", "unsafe"),
        ("other", 1, "other"),
    ],
)
def test_what_cannot_be_true_is_refused_by_name(place, value, message):
    with pytest.raises((ValueError, TypeError)) as error:
        Results.from_json(replaced(place, value))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", "[" * 100_000, b"\xff"])
def test_what_is_no_json_of_results_is_refused(text):
    with pytest.raises((ValueError, TypeError)):
        Results.from_json(text)


NO_VALUES = (None, [], {}, "x", "", -1, 0.5, float("nan"), 1e400, 10**400, True, [[1]])


def spoilt(value):
    """Yields JSON in which one value is another, or is missing."""
    yield from (other for other in NO_VALUES if other != value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {key: each for key, each in value.items() if key != name}
            yield from ({**value, name: other} for other in spoilt(inner))


def test_no_json_whatever_it_is_raises_anything_else_nor_gives_what_cannot_be_shown():
    refused, read = 0, []
    for damaged in spoilt(json.loads(FULL.to_json())):
        try:
            read.append(Results.from_json(json.dumps(damaged)))
        except (ValueError, TypeError) as error:
            refused += 1
            assert "\n" not in str(error)
    assert 200 < refused and 20 < len(read)
    assert len(runs_csv.to_csv(read).splitlines()) == len(read) + 1
    for name in ("grid", "seconds_per_step", "seconds_per_gradient"):
        assert all(tables.rounded(one.measure(name) or 0, 2) for one in read)


def test_measures_are_in_percent_and_seconds():
    assert (FULL.measure("grid"), FULL.measure("seconds_per_search")) == (50, 0.125)
    assert made_results.results().measure("seconds_per_search") is None


def test_repetitions_have_one_setting():
    first = made_results.results("wo10_kl", 0)
    repeated = [
        made_results.results("wo10_kl", 3, 0.5),
        made_results.results("wo10_kl", 0, log_every="7", checkpoint_every="9"),
        made_results.results("wo10_kl", **{"lambda": "8.0"}),
        made_results.results("wo10_kl", schedule="paper", max_rotation="30"),
        made_results.results("wo10_kl", train_images="1437"),
    ]
    assert {first.setting} == {results.setting for results in repeated}
    others = [
        made_results.results("wo10_kl", **{"lambda": "4"}),
        made_results.results("wo10_kl", steps="801"),
        made_results.results("wo10_kl", train_images=1000),
        made_results.results("wo10_at"),
    ]
    assert len({first.setting, *(results.setting for results in others)}) == 5


def test_what_a_run_was_evaluated_on():
    assert FULL.evaluated_on == "300 held-out training images"
    assert made_results.results(images=10_000).evaluated_on == "10,000 test images"
