"""Flags of a search that are refused."""

import pytest

from spatial_keras.configuration import command_line
from spatial_keras.configuration.tune_config import TuneConfig


def test_mistakes_are_refused():
    for option, message in [
        ("--lambdas=1", "^--lambdas must be 2 numbers with commas between, got '1'"),
        ("--lambdas=8,1", "^--lambdas must be positive and ascending, got '8,1'"),
        ("--lambdas=0,1", "^--lambdas must be more than 0, got 0"),
        ("--lambdas=1,8 --lambda=2", "^give --lambda or --lambdas, not both"),
        ("--lambdas=1,8 --defense=wo2_at", "^--lambdas has no effect on defense 'wo2_at'"),
        ("--learning_rates=1,x", "^--learning_rates must be 2 numbers"),
        ("--ks=", "^--ks must be integers with commas between, got ''"),
        ("--ks=0,1", "^--ks must be at least 1, got 0"),
        ("--ks=1,2 --defense=pgd2_kl", "^--ks has no effect on defense 'pgd2_kl'"),
        ("--ks=1,2 --defense=std_star", "^--ks has no effect on defense 'std_star'"),
        ("--defense=wo2_at", "^there is nothing to search"),
        ("--lambda=2", "^there is nothing to search"),
        ("--max_trials=0", "^--max_trials must be at least 1"),
        ("--max_trials=3 --tuner=hyperband", "^--max_trials has no effect on --tuner=hyperband"),
        ("--ks=1,5,1", "^--ks has '1' 2 times"),
        ("--lambdas=1,1e30", "^--lambdas must be at most 1000000.0, got 1e[+]30"),
        ("--learning_rates=1,inf", "^--learning_rates must be more than 0, got inf"),
        ("--tuner=hyperband --steps=8", "^--steps with --tuner=hyperband must be at least 9"),
        ("--validation_images=0", "^--validation_images must be at least 1, got 0"),
        ("--steps=0", "^--steps must be at least 1"),
        ("--model=m.keras --width=0.7", "^--width has no effect on a model from a file"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            command_line.parse(TuneConfig, ["--defense=wo2_kl", *option.split()])


def test_width_is_a_half_where_there_is_one_to_choose():
    for option, width in [
        ("", 0.5),
        ("--width=0.25", 0.25),
        ("--model=m.keras", 1),
        ("--model=keras:ResNet50", 1),
        ("--model=zoo:digits_resnet8_wo10_kl", 1),
    ]:
        config = command_line.parse(TuneConfig, ["--defense=wo2_kl", *option.split()])
        assert config.trial.width == width
