"""Every flagfile describes a row of the paper's experiments, and trains."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from spatial_keras import models
from spatial_keras.data.images_on_disk import ImagesOnDisk
from spatial_keras.experiments import train
from spatial_keras.training import defenses
from tests import small

FLAGS = pathlib.Path(__file__).parents[1] / "flags"
FILES = sorted(FLAGS.glob("**/*.flags"))
ROWS = (
    "std", "std_star", "at_rob_wo10", "alp_rob_wo10", "alp_nat_wo10", "alp_mix_wo10", "kl_rob_wo10",
    "kl_nat_wo10", "kl_mix_wo10", "klc_nat_wo10", "klc_mix_wo10", "l2_rob_wo10", "l2_nat_wo10",
    "l2_mix_wo10",
)  # fmt: skip
# On CIFAR-10 some rows with other searches, too.
SOME_ROWS = ("at_rob", "alp_rob", "kl_rob", "kl_nat", "l2_nat")
MORE = tuple(f"{row}_{search}" for search in ("wo1", "wo20", "pgd5") for row in SOME_ROWS)
IMAGENET = (*ROWS, "at_rob_pgd5", "kl_rob_pgd5", "kl_nat_pgd5", "l2_nat_pgd5")
CLASSES = {
    "cifar10": 10, "cifar100": 100, "svhn_cropped": 10, "digits": 10, "imagenet2012": 1000,
}  # fmt: skip


def name_of(file: pathlib.Path) -> str:
    return str(file.relative_to(FLAGS).with_suffix(""))


@pytest.mark.parametrize(
    "folder, names",
    [
        ("cifar10", ROWS + MORE),
        ("cifar100", ROWS),
        ("svhn_cropped", ROWS),
        ("imagenet2012", IMAGENET),
    ],
)
def test_the_papers_experiments(folder, names):
    assert {file.stem for file in (FLAGS / folder).glob("*.flags")} == {"base", *names}
    for name in names:
        row = name
        if name in ROWS[2:] + MORE:
            method, suffix, search = name.split("_")
            row = f"{search}_{method}" if suffix == "rob" else f"{search}_{method}_{suffix}"
        lines = (FLAGS / folder / f"{name}.flags").read_text().splitlines()
        assert lines == [f"--flagfile=flags/{folder}/base.flags", f"--defense={row}"]


@pytest.mark.parametrize("folder", ["cifar10", "cifar100", "svhn_cropped"])
def test_the_papers_setting(folder, monkeypatch):
    monkeypatch.chdir(FLAGS.parent)
    config = small.parsed(f"--flagfile=flags/{folder}/std.flags")
    expected = {
        "dataset": folder, "model": "resnet32", "width": 1, "steps": 80_000, "batch_size": 64,
        "learning_rate": 0.1, "weight_decay": 2e-4, "max_rotation": 30, "max_translation": 3,
        "lambda_": None, "schedule": "paper", "optimizer": "momentum", "search_from": 0,
    }  # fmt: skip
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


def test_imagenet_on_a_few_photos(imagenet, tmp_path, monkeypatch):
    monkeypatch.chdir(FLAGS.parent)
    small_ones = (
        "--model=resnet8 --width=0.125 --image_size=32 --max_translation=3 --batch_size=4 "
        "--steps=2 --xla=off --test_images=6"
    )
    run = train.prepare(
        small.parsed(
            "--flagfile=flags/imagenet2012/kl_rob_wo10.flags", *small_ones.split(),
            "--stream=on", f"--data_dir={imagenet}", f"--output_dir={tmp_path / 'run'}",
        )
    )  # fmt: skip
    assert run.dataset.flip_keeps_label and run.dataset.input_shape == (32, 32, 3)
    assert isinstance(run.dataset.train_images, ImagesOnDisk)
    run.train()
    assert run.checkpoints.step == 2


def test_the_setting_of_imagenet(monkeypatch):
    monkeypatch.chdir(FLAGS.parent)
    config = small.parsed("--flagfile=flags/imagenet2012/std.flags")
    expected = {
        "model": "keras:ResNet50", "image_size": 224, "crop": 0.875, "batch_size": 256,
        "steps": 450_000, "max_rotation": 30, "lambda_": None, "schedule": "paper",
    }  # fmt: skip
    assert {name: getattr(config, name) for name in expected} == expected
    np.testing.assert_array_equal(config.transformations(224, 224).bounds, [24, 24, 30])
    # 90 epochs of the 1,281,167 training images, to less than a tenth of one.
    assert abs(config.steps * config.batch_size / 1_281_167 - 90) < 0.1


FAST = {
    "std_star": "std_star",
    "at_rob_wo10": "wo10_at",
    "alp_rob_wo10": "wo10_alp",
    "kl_rob_wo10": "wo10_kl",
    "kl_nat_wo10": "wo10_kl_nat",
}


@pytest.mark.parametrize("name", FAST)
def test_the_fast_recipe_differs_in_the_schedule_and_the_search_alone(name, monkeypatch):
    monkeypatch.chdir(FLAGS.parent)
    assert {file.stem for file in (FLAGS / "cifar10" / "fast").iterdir()} == {"base", *FAST}
    slow, fast = (
        small.parsed(f"--flagfile=flags/cifar10/{folder}{name}.flags") for folder in ("", "fast/")
    )
    fast.check_effects()
    expected = {"steps": 20_000, "schedule": "cosine", "optimizer": "nesterov"}
    if name != "std_star":
        expected["search_from"] = 0.6
    assert fast == dataclasses.replace(slow, **expected)
    assert fast.defense == FAST[name]


def experiments():
    """The defenses and numbers of classes of all flagfiles, each once, by its first flagfile.

    One folder has every defense; the others, and the same rows with another k, are slow.
    """
    first = {}
    for file in sorted(FILES, key=lambda file: (file.parent != FLAGS / "cifar10", file)):
        if file.stem != "base":
            config = small.parsed(f"--flagfile={file}")
            first.setdefault((config.defense, CLASSES[config.dataset]), file)
    for (defense, classes), file in first.items():
        fast = file.parent == FLAGS / "cifar10" and not file.stem.endswith(("_wo1", "_wo20"))
        marks = [] if fast else pytest.mark.slow
        yield pytest.param(defense, classes, id=name_of(file), marks=marks)


@pytest.mark.parametrize("defense, classes", experiments())
def test_each_flagfile_trains(defense, classes):
    classifier = models.get("resnet8", num_classes=classes, input_shape=(8, 8, 1), width=0.125)
    model = defenses.get(defense).build(classifier, weight_decay=2e-4)
    model.compile(tf.keras.optimizers.SGD(0.01), run_eagerly=True, jit_compile=False)
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    before = classifier.get_weights()
    logs = model.fit(images, np.arange(4), batch_size=4, verbose=0).history
    assert np.isfinite(logs["loss"]).all() and ("regularizer" in logs) == bool(model.regularizer)
    moved = [np.any(old != new) for old, new in zip(before, classifier.get_weights())]
    assert np.mean(moved) > 0.9
