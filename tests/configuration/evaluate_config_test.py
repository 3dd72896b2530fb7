"""What an evaluation takes from its run, and flags that have no effect."""

import dataclasses

import pytest

from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.evaluate_options import MEASURES
from spatial_keras.configuration.run_config import RunConfig

RUN = RunConfig(dataset="cifar10", image_size=16, max_rotation=12, max_translation=2)


def test_what_is_not_given_is_taken_from_the_run():
    found = EvaluateConfig(run="a", max_rotation=5).filled_from(RUN)
    assert (found.dataset, found.image_size) == ("cifar10", 16)
    assert (found.max_rotation, found.max_translation) == (5, 2)
    run = dataclasses.replace(RUN, max_zoom=1.2, max_yaw=9.0, flip=True)
    found = EvaluateConfig(run="a", max_yaw=0.0, flip=False).filled_from(run)
    assert (found.max_zoom, found.max_yaw, found.flip, found.max_pitch) == (1.2, 0, False, None)


def test_a_percentage_is_taken_from_the_run():
    run = RunConfig(max_translation="10%")
    found = EvaluateConfig(run="a", dataset="other", image_size=64).filled_from(run)
    assert found.max_translation == "10%"


def test_the_paper_is_the_default():
    config = EvaluateConfig(model="a.keras", dataset="digits")
    assert config.ordered_measures == list(MEASURES)


@pytest.mark.parametrize(
    ("values", "measure"),
    [
        ({"draws": 3}, "random"), ({"k": 3}, "worst_of_k"), ({"gradient_steps": 3}, "gradient"),
        ({"gradient_restarts": 3}, "gradient"), ({"attack_steps": 3}, "attack"),
        ({"attack_refinements": 3}, "attack"), ({"grid_counts": (3, 3, 3)}, "grid"),
        ({"map": True}, "grid"), ({"profile_images": 3}, "profile"),
    ],
)  # fmt: skip
def test_a_flag_without_its_measure_is_refused(values, measure):
    with pytest.raises(ValueError, match=f"--{next(iter(values))} has no effect .*{measure}"):
        EvaluateConfig(run="a", measures=("natural",), **values)
    EvaluateConfig(run="a", **values)


@pytest.mark.parametrize(
    ("values", "measures"),
    [
        ({"seed": 3}, ("natural", "grid")),
        ({"composition": "joint"}, ("natural",)),
    ],
)
def test_a_flag_without_any_of_its_measures_is_refused(values, measures):
    with pytest.raises(ValueError, match=f"^--{next(iter(values))} has no effect .*random or w"):
        EvaluateConfig(run="a", measures=measures, **values)
    EvaluateConfig(run="a", measures=(*measures, "random"), **values)


@pytest.mark.parametrize(
    ("options", "added"), [({}, " --resume"), ({"resume": True}, ""), ({"merge": True}, "")]
)
def test_an_evaluation_continues_with_resume(options, added):
    assert EvaluateConfig(run="a", **options).to_continue("evaluate x") == f"evaluate x{added}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fail_under": ("grd:0.8",)}, "--fail_under: unknown measure 'grd': did you mean 'grid'"),
        ({"fail_under": ("profile:1",)}, "--fail_under: unknown measure 'profile'"),
        ({"fail_under_interval": True}, "--fail_under_interval has no effect without --fail_under"),
        ({"tolerance": 0.1}, "--tolerance has no effect without --compare"),
        ({"input_range": (1.0, 1.0)}, "--input_range must be two different numbers"),
        ({"junit": "a.txt"}, "--junit must be NAME.xml, got 'a.txt'"),
        ({"shard": "1/2", "fail_under": ("grid:1",)}, "--fail_under has no effect with --shard"),
    ],
)
def test_what_does_not_go_together_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        EvaluateConfig(run="a", **values)
