"""A run becomes a classifier of the zoo; an evaluation fills its card."""

import json
import shlex

import numpy as np
import pytest

from spatial_keras import data, zoo
from spatial_keras.configuration import command_line
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.experiments import cards, evaluate, train
from spatial_keras.zoo import classifiers
from tests import small
from tests.made_results import results, write

FEW = ("--limit=9", "--measures=natural,grid", "--grid_counts=3,3,3", "--xla=off")


@pytest.fixture(name="folder", scope="module")
def make_folder(tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    train.prepare(small.parsed(*small.RESNET_RUN, f"--output_dir={folder}")).run()
    return folder


def evaluated(*arguments):
    evaluation = evaluate.prepare(command_line.parse(EvaluateConfig, [*FEW, *arguments]))
    return evaluation, evaluation.run()


def test_a_run_becomes_a_classifier_of_the_zoo_with_its_card(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifiers, "FOLDER", tmp_path)
    packed = cards.pack(folder, "for tests")
    assert zoo.names() == ("digits_resnet8_wo2_kl",)
    name, *flags = shlex.split(packed.training["command"])[1:]
    assert name == "train"
    assert small.parsed(*flags, f"--output_dir={folder}") == small.parsed(
        *small.RESNET_RUN, f"--output_dir={folder}"
    )
    model = f"--model=zoo:{packed.name}"
    _, report = evaluated(model, "--image_size=8", f"--card={tmp_path / packed.name}.json")
    card = zoo.card(packed.name)
    assert (card.purpose, card.weights, card.training) == (
        "for tests", packed.weights, packed.training,
    )  # fmt: skip
    grid = report.outcomes["grid"]
    assert card.measures["grid"] == {
        "images": 9, "accuracy": grid.accuracy, "low": grid.interval[0], "high": grid.interval[1],
    }  # fmt: skip
    assert (tmp_path / f"{packed.name}_evaluation.json").exists()
    digits = data.get("digits", image_size=8)
    logits = zoo.load(packed.name)(digits.test_images[:9].astype(np.float32))
    right = np.argmax(logits, -1) == digits.test_labels[:9]
    assert card.measures["natural"]["accuracy"] == np.mean(right)
    labels = digits.test_labels[:9]
    share = min(grid.right[labels == label].mean() for label in labels)
    assert f"{share:.0%} are right under all" in card.known_failures[0]


def test_the_card_of_a_file_says_what_is_known(tmp_path):
    card = tmp_path / "card.json"
    evaluation, _ = evaluated(
        f"--model={small.MODEL}", "--dataset=digits", "--image_size=8", f"--card={card}",
        f"--output={tmp_path / 'a.json'}",
    )  # fmt: skip
    found = json.loads(card.read_text())
    assert (found["name"], found["training"]) == ("small", {})
    assert found["weights"] == evaluation.subject["fingerprint"]
    assert found["data"]["licence"] == "CC BY 4.0"
    assert "rotations up to 30 degrees" in found["evaluation"]["transformations"]
    assert f"--model={small.MODEL} --dataset=digits" in found["evaluation"]["command"]


def test_training_goes_on_from_a_classifier_of_the_zoo(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(classifiers, "FOLDER", tmp_path)
    cards.pack(folder)
    model = "--model=zoo:digits_resnet8_wo2_kl"
    config = small.parsed(model, *small.OPTIONS)
    assert config.name == "digits_resnet8_wo2_kl_wo2_kl_seed0"
    with pytest.raises(ValueError, match="--width has no effect on a classifier of the zoo"):
        small.parsed(model, "--width=2")
    run = train.prepare(small.parsed(model, *small.OPTIONS, f"--output_dir={tmp_path / 'run'}"))
    for found, packed in zip(
        run.model.classifier.get_weights(), zoo.load("digits_resnet8_wo2_kl").get_weights()
    ):
        np.testing.assert_array_equal(found, packed)
    run.folder.close()
    write(tmp_path / "next", results(model=config.model, width="1.0", defense="wo10_at"))
    card = cards.of_run(tmp_path / "next")
    assert card.name == "digits_resnet8_wo10_at"
    assert card.network == zoo.card("digits_resnet8_wo2_kl").network
    assert f"train {model} --" in card.training["command"]
    write(tmp_path / "same", results(model=config.model, width="1.0", defense="wo2_kl"))
    with pytest.raises(ValueError, match="went on from 'digits_resnet8_wo2_kl' of the zoo"):
        cards.of_run(tmp_path / "same")


def test_a_network_without_a_name_is_not_of_the_zoo(tmp_path):
    write(tmp_path / "run", results(model="mine.keras", width="1.0"))
    with pytest.raises(ValueError, match="networks of its own by name, not 'mine.keras'"):
        cards.of_run(tmp_path / "run")
