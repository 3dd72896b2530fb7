"""Runs and models that version 0.1.0 wrote load in this one.

Each stack has its own, because Keras 2.15 and Keras 3 do not read each other's `.keras` files.
`run` is a finished run of a ResNet-8 on 8x8 digits; `robust_model.keras` is a RobustModel (wo2_kl)
of an ETN, and `logits.npy` its logits of random images.
"""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.configuration import command_line
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import evaluate, train
from spatial_keras.support import compat

LEGACY = pathlib.Path(__file__).parent / "legacy" / ("keras3" if compat.IS_KERAS_3 else "keras2")


@pytest.fixture(name="folder")
def copy_run(tmp_path):
    return pathlib.Path(shutil.copytree(LEGACY / "run", tmp_path / "run"))


def prepared(folder):
    config = command_line.read(RunConfig, folder / "run.flags", f"--output_dir={folder}")
    return train.prepare(config)


def test_a_finished_run_shows_its_results(folder):
    run = prepared(folder)
    run.train = lambda: pytest.fail("trained again")
    results = run.run()
    assert results["flags"]["defense"] == "wo2_kl" and results["steps"] == 6
    assert set(results["accuracies"]) == {"natural", "random", "grid"}


def test_its_checkpoint_and_its_classifier_are_the_same(folder):
    saved = evaluate.load_run(folder)[1]
    run = prepared(folder)
    assert run.checkpoints.step == 6
    for one, other in zip(run.model.classifier.get_weights(), saved.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_was_killed_at_step_4_continues(folder):
    finished = prepared(folder).model.classifier.get_weights()
    for file in folder.glob("checkpoints/ckpt-6*"):
        file.unlink()
    listed = (folder / "checkpoints/checkpoint").read_text().replace("ckpt-6", "ckpt-4")
    (folder / "checkpoints/checkpoint").write_text(listed)
    (folder / "results.json").unlink()
    run = prepared(folder)
    assert run.checkpoints.step == 4
    run.train()
    assert run.checkpoints.step == 6
    for one, other in zip(run.model.classifier.get_weights(), finished):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_saved_robust_model_loads():
    model = tf.keras.models.load_model(LEGACY / "robust_model.keras")
    assert isinstance(model, sk.RobustModel) and model.search.k == 2 and model.search_from == 0
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1)).astype(np.float32)
    logits = model.predict(images, verbose=0)
    np.testing.assert_allclose(logits, np.load(LEGACY / "logits.npy"), rtol=1e-4, atol=1e-5)
