"""Two workers as processes of this machine: trained, killed, resumed, evaluated."""

import csv
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.experiments import evaluate
from tests import script_calls, small
from tests.experiments.cluster_test import config, free_ports

TRAIN = (
    "train.py",
    *small.RUN,
    *"--steps=20 --checkpoint_every=4 --test_images=20 --distribute=multi_worker".split(),
)


# Trains, and while it takes a step gets a signal.
SIGNALLED = """
import os, sys
from spatial_keras import commands
from spatial_keras.experiments.checkpoints import Checkpoints

number, step = map(int, sys.argv[1:3])
del sys.argv[:3]
on_steps_end = Checkpoints.on_steps_end

def signalled(self, steps, logs=None):
    if self.step == step:
        os.kill(os.getpid(), number)
    on_steps_end(self, steps, logs)

Checkpoints.on_steps_end = signalled
commands.main(["train", *sys.argv[1:]])
"""


def start(*arguments, signals=(None, None)):
    """Returns the processes of two workers, the chief's first.

    Args:
      *arguments: the command and its flags.
      signals: of each worker a signal and the step at which it gets it, or None.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    environment = {**script_calls.ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "3"}
    plain = script_calls.command(*arguments)
    return [
        subprocess.Popen(
            plain
            if asked is None
            else [sys.executable, "-c", SIGNALLED, *map(str, asked), *arguments],
            env={**environment, "TF_CONFIG": config(addresses, index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, asked in enumerate(signals)
    ]


def finish(*arguments):
    """Runs two workers to their end; returns what the chief wrote on standard output and errors."""
    chief, other = start(*arguments)
    output, errors = chief.communicate()
    other_output, other_errors = other.communicate()
    assert (chief.returncode, other.returncode) == (0, 0), errors + other_errors
    assert other_output == "" and "steps/s" not in other_errors
    return output, errors


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run of two workers that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    output, errors = finish(*TRAIN, f"--output_dir={folder}")
    assert "natural" in output and "20/20" in errors
    return folder


def results(folder):
    return json.loads((folder / "results.json").read_text())


def weights(folder):
    return tf.keras.models.load_model(folder / "classifier.keras").get_weights()


def ends(workers):
    """Waits for the workers, the last first; returns exit codes and the last lines on errors."""
    lines = []
    for worker in workers[::-1]:  # once one has ended, the other must within a minute
        errors = worker.communicate(timeout=60 if lines else None)[1]
        assert "Traceback" not in errors
        lines.insert(0, errors.splitlines()[-1] if errors else "")
    return [worker.returncode for worker in workers], lines


def check_goes_on(folder, whole):
    """Has the same commands end the run, and checks it against one that nothing disturbed."""
    _, errors = finish(*TRAIN, f"--output_dir={folder}")
    assert "Continuing from step" in errors
    assert results(folder)["accuracies"] == results(whole)["accuracies"]
    for expected, found in zip(weights(whole), weights(folder)):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_only_the_chief_writes(whole):
    names = {file.name for file in whole.iterdir()}
    files = {"run.flags", "results.json", "classifier.keras", "examples.png"}
    assert names == {*files, "checkpoints", "tensorboard"}
    assert len(list((whole / "tensorboard").glob("events*"))) == 2  # training, accuracies
    assert results(whole)["replicas"] == 2


@pytest.mark.slow
def test_a_killed_worker_ends_all_and_the_same_commands_go_on(whole, tmp_path):
    signals = (None, (int(signal.SIGKILL), 6))
    codes, (line, _) = ends(start(*TRAIN, f"--output_dir={tmp_path}", signals=signals))
    assert codes == [1, -signal.SIGKILL]
    # The number is there where TensorFlow's message has it.
    assert re.search("(a worker|worker 1) is gone, which ends all; start them all again.", line)
    assert "To continue: python" in line
    check_goes_on(tmp_path, whole)


@pytest.mark.slow
def test_a_batch_system_ends_one_worker_or_all_and_the_same_commands_go_on(whole, tmp_path):
    for step, asked in ((6, (False, True)), (11, (True, True))):
        signals = [(int(signal.SIGTERM), step) if one else None for one in asked]
        codes, lines = ends(start(*TRAIN, f"--output_dir={tmp_path}", signals=signals))
        assert codes == [143, 143]
        # What came while a step was taken, all know of after the next one.
        expected = f"terminated; step {step + 1} is saved. To continue: python"
        assert all(line.startswith(expected) for line in lines), lines
    check_goes_on(tmp_path, whole)


def right(file):
    """What is right, image by image, of the table that an evaluation writes."""
    with open(file, encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    return [{name: cell for name, cell in row.items() if "_right" in name} for row in rows]


@pytest.mark.slow
def test_two_workers_evaluate_as_one_does(whole, tmp_path):
    options = {"limit": 20, "batch_size": 16, "grid_counts": (3, 3, 5), "attack_refinements": 2}
    flags = "--limit=20 --batch_size=16 --grid_counts=3,3,5 --attack_refinements=2".split()
    run = f"--run={whole}"
    finish("evaluate.py", run, *flags, f"--output={tmp_path / 'two.json'}", "--xla=off")
    alone = EvaluateConfig(run=str(whole), output=str(tmp_path / "one.json"), xla="off", **options)
    evaluate.prepare(alone).run()
    assert right(tmp_path / "two.csv") == right(tmp_path / "one.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker 0", "TF_CONFIG must be JSON such as"),
        (config(["127.0.0.1:1", "127.0.0.1:2"], 2), "TF_CONFIG names task worker 2"),
        (None, "worker 1 (127.0.0.1:"),
    ],
)
def test_a_cluster_that_does_not_come_together_is_one_line(tmp_path, monkeypatch, text, message):
    if text is None:
        text = config([f"127.0.0.1:{port}" for port in free_ports(2)])
    monkeypatch.setenv("TF_CONFIG", text)
    arguments = (*TRAIN, "--worker_timeout=1", f"--output_dir={tmp_path / 'run'}")
    found = script_calls.call(script_calls.command(*arguments))
    assert message in script_calls.mistake(found)
    assert not (tmp_path / "run").exists()


def test_a_search_is_not_for_the_workers_of_tf_config(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(["127.0.0.1:1"]))
    command = script_calls.command("tune.py", f"--output_dir={tmp_path / 'search'}")
    assert "by KerasTuner" in script_calls.mistake(script_calls.call(command))
