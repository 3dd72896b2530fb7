"""What KerasTuner chooses reaches the run."""

import keras_tuner as kt
import numpy as np
import pytest

from spatial_keras import data
from spatial_keras.configuration import command_line
from spatial_keras.configuration.tune_config import TuneConfig
from spatial_keras.experiments import image_sets, train
from spatial_keras.experiments.hyper_model import ExperimentHyperModel
from tests import small


def hyper_model(*arguments):
    arguments = [*small.RUN, "--width=1", "--validation_images=20", *arguments]
    config = command_line.parse(TuneConfig, arguments)
    return ExperimentHyperModel(config, image_sets.load(config.run))


def hyper_parameters(**values):
    hp = kt.HyperParameters()
    hp.values = values
    return hp


def test_choices_are_the_runs_flags():
    model = hyper_model("--lambdas=0.25,32", "--learning_rates=0.01,0.5", "--ks=1,5")
    run = model.config(hyper_parameters(**{"lambda": 1.23456, "learning_rate": 0.056789, "k": 5}))
    assert (run.lambda_, run.learning_rate, run.defense) == (1.23, 0.0568, "wo5_kl")
    assert run.steps == 6

    built = model.build(hyper_parameters(**{"lambda": 1.23456, "learning_rate": 0.25, "k": 5}))
    assert built.get_config()["regularizer_weight"] == 1.23
    assert built.search.k == 5


def test_nothing_else_is_changed():
    model = hyper_model("--learning_rates=0.01,0.5", "--lambda=3", "--defense=wo20_kl_nat")
    run = model.config(hyper_parameters(learning_rate=0.2))
    assert (run.lambda_, run.learning_rate, run.defense) == (3, 0.2, "wo20_kl_nat")


def test_a_space_is_described_to_kerastuner():
    hp = kt.HyperParameters()
    hyper_model("--lambdas=0.25,32", "--learning_rates=0.01,0.5", "--ks=1,5").config(hp)
    found = {each.name: each.get_config() for each in hp.space}
    assert found.keys() == {"lambda", "learning_rate", "k"}
    for name, ends in (("lambda", [0.25, 32.0]), ("learning_rate", [0.01, 0.5])):
        assert [found[name]["min_value"], found[name]["max_value"]] == ends
        assert found[name]["sampling"] == "log"
    assert found["k"]["values"] == [1, 5]


@pytest.mark.parametrize(("epochs", "steps"), [(1, 9), (3, 27), (9, 80)])
def test_hyperbands_epochs_are_a_share_of_the_steps(epochs, steps):
    model = hyper_model("--lambdas=0.25,32", "--steps=80")
    hp = hyper_parameters(**{"lambda": 1.0, "tuner/epochs": epochs})
    assert model.config(hp).steps == steps


def test_fit_is_the_run_of_train_py(tmp_path):
    """The same run by its flags, in another folder, has the same accuracies."""
    model = hyper_model("--lambdas=0.25,32")
    hp = hyper_parameters(**{"lambda": 2.0})
    accuracies = model.fit(hp, model.build(hp), tmp_path / "trial")
    flags = (f"--flagfile={tmp_path / 'trial' / 'run.flags'}", f"--output_dir={tmp_path / 'alone'}")
    alone = train.prepare(small.parsed(*flags))
    assert alone.config.lambda_ == 2 and alone.config.validation_images == 20
    assert alone.run().accuracies.measured == accuracies

    known = {image.tobytes() for image in data.get("digits", image_size=8).train_images}
    trained, judged = (
        {image.tobytes() for image in images}
        for images in (alone.dataset.train_images, alone.dataset.test_images)
    )
    assert trained | judged == known and not trained & judged


def test_a_run_that_diverges_counts_as_0(tmp_path):
    model = hyper_model("--lambda=1", "--learning_rates=0.1,1000000")
    hp = hyper_parameters(learning_rate=1e30)
    with np.errstate(all="ignore"):
        found = model.fit(hp, model.build(hp), tmp_path)
    assert found == {"natural": 0.0, "random": 0.0, "grid": 0.0}
    assert not (tmp_path / "results.json").exists()
