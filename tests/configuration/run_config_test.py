"""The configuration of a run: names, folders, and flags without effect."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.training import defenses
from tests import small


def test_the_folder_follows_from_the_run():
    config = RunConfig(dataset="cifar10", model="vgg16", defense="std", seed=3)
    assert config.folder == pathlib.Path("runs/cifar10/vgg16_std_seed3")
    assert dataclasses.replace(config, output_dir="a/b").folder == pathlib.Path("a/b")


@pytest.mark.parametrize(
    ("defense", "names"),
    [
        ("std", {"lambda", "search_from", "pgd_step_sizes", "pgd_start", "grid_counts"}),
        ("std_star", {"lambda", "search_from", "pgd_step_sizes", "pgd_start", "grid_counts"}),
        ("wo1_kl", {"search_from", "pgd_step_sizes", "pgd_start", "grid_counts"}),
        ("wo2_at", {"lambda", "pgd_step_sizes", "pgd_start", "grid_counts"}),
        ("wo10_kl", {"pgd_step_sizes", "pgd_start", "grid_counts"}),
        ("pgd5_l2", {"grid_counts"}),
        ("grid_at", {"lambda", "pgd_step_sizes", "pgd_start"}),
    ],
)
def test_what_has_no_effect_on_a_defense(defense, names):
    values = {
        "lambda": "2", "search_from": "0.5", "pgd_step_sizes": "1,1,1", "pgd_start": "random",
        "grid_counts": "3,3,3",
    }  # fmt: skip
    flags = {name: f"--{name}={value}" for name, value in values.items()}
    assert RunConfig(defense=defense).without_effect().keys() == names
    for name, flag in flags.items():
        config = small.parsed(f"--defense={defense}", flag)
        if name in names:
            with pytest.raises(ValueError, match=f"^--{name} has no effect on"):
                config.check_effects()
        else:
            config.check_effects()
    kept = [flag for name, flag in flags.items() if name not in names]
    expected = small.parsed(f"--defense={defense}", "--seed=4", *kept)
    assert small.parsed(*flags.values()).for_defense(defenses.get(defense), seed=4) == expected


def test_a_default_batch_takes_all_images_where_they_are_fewer():
    with pytest.warns(UserWarning, match="--batch_size is 28, all training images there are"):
        assert RunConfig(validation_images=2).fitted_to(30).batch_size == 28
    assert RunConfig().fitted_to(64) == RunConfig()
    assert RunConfig(batch_size=65).fitted_to(64).batch_size == 65


@pytest.mark.parametrize(
    ("flags", "number", "steps"),
    [
        ({"dataset": "folder:photos"}, 96, 1000),
        ({"dataset": "folder:photos"}, 6400, 10_000),
        ({"dataset": "folder:photos"}, 10**6, 80_000),
        ({"dataset": "folder:photos", "steps": 90}, 96, 90),
        ({"dataset": "cifar10"}, 50_000, 80_000),
        ({"dataset": "cifar10", "epochs": 2, "train_images": 128}, 50_000, 4),
        ({"epochs": 3, "validation_images": 36}, 100, 3),
    ],
)
@pytest.mark.filterwarnings("ignore:--steps is")
def test_steps_suit_the_images(flags, number, steps):
    fitted = RunConfig(**flags).fitted_to(number)
    assert (fitted.steps, fitted.epochs) == (steps, None)
    assert fitted.fitted_to(number) == fitted


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"steps": 9, "epochs": 2}, "^give --steps or --epochs, not both"),
        ({"steps": 4, "search_from": 0.1}, "^--search_from=0.1 is less than one of 4 steps"),
        ({"max_translation": "51%"}, r"^--max_translation in % must be in \[0, 50\], got 51"),
    ],
)
def test_what_has_no_meaning_is_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**flags)
