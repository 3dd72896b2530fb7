"""One run on several replicas, in this process; tests/commands/workers_test.py has processes."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.experiments import cluster, distribution, evaluate, interruption, train
from spatial_keras.experiments.distribution import Distribution
from tests import small
from tests.keras_state import optimizer_values


class Record(tf.keras.callbacks.Callback):
    """What a callback is told."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append((batch, {name: float(value) for name, value in logs.items()}))

    def on_train_end(self, logs=None):
        self.calls.append("end")


def batches(part):
    number, parts = part
    rows = slice(number * 6 // parts, (number + 1) * 6 // parts)
    images = small.IMAGES.reshape(2, 6, 10, 10, 1)[:, rows]
    return tf.data.Dataset.from_tensor_slices(
        (images, small.LABELS.reshape(2, 6)[:, rows])
    ).repeat()


def test_the_loop_does_what_fit_does():
    found = []
    for strategy in (None, tf.distribute.get_strategy()):
        model, record = small.robust_model(), Record()
        Distribution(strategy).fit(model, batches, 5, [record])
        state = [*model.classifier.get_weights(), *optimizer_values(model.optimizer)]
        found.append((record.calls, state))
    assert found[0][0] == found[1][0]
    for expected, value in zip(found[0][1], found[1][1]):
        np.testing.assert_array_equal(value, expected)


def test_alone_the_chief_has_the_say():
    alone = Distribution()
    assert (alone.replicas, alone.is_chief, alone.from_chief({"a": 1})) == (1, True, {"a": 1})
    assert alone.on_chief(lambda: 5) == 5
    with pytest.raises(ValueError, match="no folder"):
        alone.on_chief(lambda: (_ for _ in ()).throw(ValueError("no folder")))


def test_auto_goes_by_tf_config_and_the_gpus(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    gpus = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    assert distribution.resolved("auto") == "none"
    gpus += ["GPU:0"]
    assert distribution.resolved("auto") == "none"
    gpus += ["GPU:1"]
    assert distribution.resolved("auto") == "mirrored"
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert distribution.resolved("auto") == "multi_worker"
    assert distribution.resolved("none") == "none"


# A run on two replicas; tests/conftest.py gives as many CPUs.

TWO = (*small.RESNET_RUN, "--test_images=30", "--sync_batch_norm")


def run(folder, *options):
    return train.prepare(small.parsed(*TWO, *options, f"--output_dir={folder}"))


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """A finished run on two replicas."""
    folder = tmp_path_factory.mktemp("mirrored")
    experiment = run(folder, "--distribute=mirrored")
    return experiment, folder, experiment.run()


def test_two_replicas_end_as_one(mirrored, tmp_path):
    two, folder, results = mirrored
    assert results.replicas == 2
    one = run(tmp_path, "--distribute=none")
    expected = one.run()
    for value, weight in zip(
        two.model.classifier.get_weights(), one.model.classifier.get_weights()
    ):
        np.testing.assert_allclose(value, weight, rtol=1e-3, atol=1e-4)
    assert results.accuracies.measured.keys() == expected.accuracies.measured.keys()
    names = {file.name for file in folder.iterdir()}
    assert names == {file.name for file in tmp_path.iterdir()}
    scalars = small.logged(folder / "tensorboard")
    assert [step for step, _ in scalars["train/loss"]] == [2, 4, 6]


def test_a_run_on_two_replicas_goes_on_with_the_same_bits(mirrored, tmp_path):
    whole, folder, _ = mirrored
    shutil.copytree(folder / "checkpoints", tmp_path / "checkpoints")
    for file in (tmp_path / "checkpoints").glob("ckpt-6*"):
        file.unlink()
    resumed = run(tmp_path, "--distribute=mirrored")
    assert resumed.checkpoints.step == 4
    resumed.train()
    states = (
        [*one.model.classifier.get_weights(), *optimizer_values(one.model.optimizer)]
        for one in (whole, resumed)
    )
    for expected, found in zip(*states):
        np.testing.assert_array_equal(found, expected)


def test_an_evaluation_on_two_replicas_is_that_on_one(mirrored, tmp_path):
    _, folder, _ = mirrored
    outcomes = []
    for name in ("none", "mirrored"):
        found = evaluate.prepare(
            EvaluateConfig(
                run=str(folder),
                limit=30,
                distribute=name,
                batch_size=16,
                grid_counts=(3, 3, 5),
                gradient_steps=2,
                attack_steps=2,
                attack_refinements=2,
                output=str(tmp_path / f"{name}.json"),
            )  # fmt: skip
        )
        outcomes.append(found.run().outcomes)
    one, two = outcomes
    assert one.keys() == two.keys()
    for name, outcome in one.items():
        np.testing.assert_array_equal(two[name].right, outcome.right)
        np.testing.assert_allclose(two[name].margins, outcome.margins, atol=1e-4)
        np.testing.assert_allclose(
            two[name].transformations, outcome.transformations, atol=1e-4, err_msg=name
        )


@pytest.mark.slow
def test_two_replicas_with_xla(tmp_path):
    """Its log searches, and its end evaluates, with functions compiled for each replica."""
    options = ("--steps=2", "--test_images=9", "--distribute=mirrored", "--xla=on")
    results = train.prepare(small.parsed(*small.RUN, *options, f"--output_dir={tmp_path}")).run()
    measures = {"limit": 9, "measures": ("natural", "random", "grid"), "draws": 1}
    alone = EvaluateConfig(run=str(tmp_path), distribute="none", xla="off", **measures)
    expected = evaluate.prepare(alone).run().outcomes
    assert results.accuracies.measured == {name: one.accuracy for name, one in expected.items()}
    both = EvaluateConfig(
        run=str(tmp_path), limit=9, measures=("gradient",), gradient_steps=2, xla="on"
    )
    assert evaluate.prepare(dataclasses.replace(both, distribute="mirrored")).run()


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--batch_size must be a multiple of the 2 replicas, got"):
        run(tmp_path / "run", "--distribute=mirrored", "--batch_size=15")
    assert not (tmp_path / "run").exists()


def test_several_workers_need_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="multi_worker needs TF_CONFIG, such as {"):
        distribution.get("multi_worker")


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        (
            "Collective: /job:worker/replica:0/task:0, /job:worker/replica:0/task:1",
            "worker 1",
        ),
        ("Coordination: /job:worker/replica:0/task:0 heard nothing", "a worker"),
    ],
)
def test_the_worker_that_is_gone_is_another_one(message, lost):
    workers = cluster.Cluster(("127.0.0.1:1", "127.0.0.1:2"), ("worker 0", "worker 1"), 0)
    with pytest.raises(interruption.InterruptedRunError, match=f"^{lost} is gone"):
        with Distribution(workers=workers).losses_named():
            raise tf.errors.UnavailableError(None, None, message)
