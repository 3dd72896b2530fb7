"""Every flagfile describes a row of the paper's experiments, and trains."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

from spatial_keras.data.images_on_disk import ImagesOnDisk
from spatial_keras.experiments import building, train
from tests import small

ROOT = pathlib.Path(__file__).parents[1]
FLAGS = ROOT / "flags"
FILES = sorted(FLAGS.glob("**/*.flags"))
# The rows of the paper by the names of their defenses.
ROWS = {
    "std": "std",
    "std_star": "std*",
    "wo10_at": "AT, rob, Wo-10",
    "wo10_alp": "ALP, rob, Wo-10",
    "wo10_alp_nat": "ALP, nat, Wo-10",
    "wo10_alp_mix": "ALP, mix, Wo-10",
    "wo10_kl": "KL, rob, Wo-10",
    "wo10_kl_nat": "KL, nat, Wo-10",
    "wo10_kl_mix": "KL, mix, Wo-10",
    "wo10_klc_nat": "KL-C, nat, Wo-10",
    "wo10_klc_mix": "KL-C, mix, Wo-10",
    "wo10_l2": "L2, rob, Wo-10",
    "wo10_l2_nat": "L2, nat, Wo-10",
    "wo10_l2_mix": "L2, mix, Wo-10",
}
# On CIFAR-10 some rows with other searches, too.
MORE = {
    name.replace("wo10", search): row.replace("Wo-10", shown)
    for search, shown in (("wo1", "Wo-1"), ("wo20", "Wo-20"), ("pgd5", "S-PGD-5"))
    for name, row in ROWS.items()
    if name in ("wo10_at", "wo10_alp", "wo10_kl", "wo10_kl_nat", "wo10_l2_nat")
}


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("folder", ["cifar10", "cifar100", "svhn_cropped"])
def test_the_papers_experiments(folder):
    rows = {**ROWS, **MORE} if folder == "cifar10" else ROWS
    assert {file.stem for file in (FLAGS / folder).glob("*.flags")} == {"base", *rows}
    for name, row in rows.items():
        assert (FLAGS / folder / f"{name}.flags").read_text().splitlines() == [
            f"# In the paper: {row}.",
            f"--flagfile=flags/{folder}/base.flags",
            f"--defense={name}",
        ]


@pytest.mark.parametrize("folder", ["cifar10", "cifar100", "svhn_cropped"])
def test_the_papers_setting(folder):
    config = small.parsed(f"--flagfile=flags/{folder}/std.flags")
    expected = {
        "dataset": folder, "model": "resnet32", "width": 1, "steps": 80_000, "batch_size": 64,
        "learning_rate": 0.1, "weight_decay": 2e-4, "max_rotation": 30, "max_translation": 3,
        "lambda_": None, "schedule": "paper", "optimizer": "momentum", "search_from": 0,
    }  # fmt: skip
    if folder == "svhn_cropped":
        expected.update(mirror=True, test_images=10_000)
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.fixture(name="imagenet")
def store_a_few_photos(tmp_path):
    """A set of TFDS of ImageNet's name and features: photos of several sizes, of three classes."""
    rng = np.random.default_rng(0)
    features = {
        "image": tfds.features.Image(encoding_format="jpeg"),
        "label": tfds.features.ClassLabel(names=["n01440764", "n01443537", "n01484850"]),
        "file_name": tfds.features.Text(),
    }

    def photos(number):
        for i in range(number):
            image = rng.integers(0, 256, (30 + i, 40, 3)).astype(np.uint8)
            yield i, {"image": image, "label": i % 3, "file_name": f"{i}.JPEG"}

    tfds.dataset_builders.store_as_tfds_dataset(
        name="imagenet2012",
        version="5.1.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": list(photos(12)), "validation": list(photos(6))},
        data_dir=tmp_path,
    )
    return tmp_path


def test_imagenet_on_a_few_photos(imagenet, tmp_path):
    small_ones = (
        "--model=resnet8 --width=0.125 --image_size=32 --max_translation=3 --batch_size=4 "
        "--steps=2 --xla=off --test_images=6"
    )
    run = train.prepare(
        small.parsed(
            "--flagfile=flags/imagenet2012/base.flags", *small_ones.split(),
            "--stream=on", f"--data_dir={imagenet}", f"--output_dir={tmp_path / 'run'}",
        )
    )  # fmt: skip
    assert run.dataset.flip_keeps_label and run.dataset.input_shape == (32, 32, 3)
    assert isinstance(run.dataset.train_images, ImagesOnDisk)
    run.train()
    assert run.checkpoints.step == 2


def test_the_setting_of_imagenet():
    config = small.parsed("--flagfile=flags/imagenet2012/base.flags")
    expected = {
        "model": "keras:ResNet50", "image_size": 224, "crop": 0.875, "batch_size": 256,
        "steps": 450_000, "max_rotation": 30, "lambda_": None, "schedule": "paper",
    }  # fmt: skip
    assert {name: getattr(config, name) for name in expected} == expected
    bounds = building.transformations(config, 224, 224).bounds
    np.testing.assert_array_equal(bounds, [24, 24, 30])
    # 90 epochs of the 1,281,167 training images, to less than a tenth of one.
    assert abs(config.steps * config.batch_size / 1_281_167 - 90) < 0.1


def test_the_fast_recipe_differs_in_the_schedule_and_the_search_alone():
    names = {"std_star", "wo10_at", "wo10_alp", "wo10_kl", "wo10_kl_nat"}
    assert {file.stem for file in (FLAGS / "cifar10" / "fast").iterdir()} == {"base", *names}
    for name in names:
        slow, fast = (
            small.parsed(f"--flagfile=flags/cifar10/{folder}{name}.flags")
            for folder in ("", "fast/")
        )
        fast.check_effects()
        expected = {"steps": 20_000, "schedule": "cosine", "optimizer": "nesterov"}
        if name != "std_star":
            expected["search_from"] = 0.6
        assert fast == dataclasses.replace(slow, **expected)
        assert fast.defense == name


# What a run of two steps cannot have of a flagfile: its images, its network, and its length.
TINY = {
    "dataset": "digits",
    "image_size": 8,
    "model": str(small.MODEL),
    "width": 1.0,
    "steps": 2,
    "batch_size": 4,
    "test_images": 9,
    "training_accuracy_images": None,
    "checkpoint_every": 1,
    "log_every": 1,
    "xla": "off",
}


def runs_of_two_steps():
    """Each flagfile's settings on a few digits; those that are the same then, once."""
    runs = {}
    for file in FILES:
        if file.parent.name != "imagenet2012":  # of larger images; photos are above
            config = dataclasses.replace(small.parsed(f"--flagfile={file}"), **TINY)
            # What a folder's base says of its images is trained with the base alone.
            same = config if file.stem == "base" else dataclasses.replace(config, mirror=None)
            runs.setdefault(same, file)
    for config, file in runs.items():
        more = file.stem in MORE and not file.stem.startswith("pgd5")
        marks = pytest.mark.slow if more else ()
        name = str(file.relative_to(FLAGS).with_suffix(""))
        yield pytest.param(config, id=name, marks=marks)


@pytest.mark.parametrize("config", runs_of_two_steps())
def test_each_flagfile_trains(config, tmp_path):
    run = train.prepare(dataclasses.replace(config, output_dir=str(tmp_path)))
    before = run.model.classifier.get_weights()
    run.train()
    assert run.checkpoints.step == 2
    after = run.model.classifier.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert all(np.any(old != new) for old, new in zip(before, after))
    losses = small.logged(tmp_path / "tensorboard")
    assert ("train/regularizer" in losses) == bool(run.model.regularizer)
