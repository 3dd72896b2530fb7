"""The script as a user calls it: killed and resumed, and its exit codes."""

import errno
import json
import os
import signal
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import commands
from spatial_keras.experiments import checkpoints, train
from tests import script_calls, small


def command(*arguments):
    return script_calls.command("train.py", *small.RUN, *arguments)


def run(*arguments):
    return script_calls.finish(command(*arguments))


# With all that depends on the step.
RECIPE = "--train_images=300 --mirror --schedule=cosine --optimizer=nesterov --search_from=0.5"


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(tmp_path):
    steps = ("--steps=40", "--checkpoint_every=7", "--test_images=30", *RECIPE.split())
    whole = run(*steps, f"--output_dir={tmp_path / 'whole'}")
    assert whole.returncode == 0, whole.stderr
    assert "natural" in whole.stdout and "grid" in whole.stdout

    folder = tmp_path / "killed"
    process = script_calls.start(command(*steps, f"--output_dir={folder}"))
    while not list(folder.glob("checkpoints/ckpt-[1-3]*.index")):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "results.json").exists()

    resumed = run(*steps, f"--output_dir={folder}")
    assert resumed.returncode == 0, resumed.stderr
    assert "Continuing from step" in resumed.stderr
    results = [json.loads((f / "results.json").read_text()) for f in (tmp_path / "whole", folder)]
    assert results[0]["accuracies"] == results[1]["accuracies"]
    models = [
        tf.keras.models.load_model(f / "classifier.keras") for f in (tmp_path / "whole", folder)
    ]
    for first, second in zip(*(model.get_weights() for model in models)):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_a_checkpoint_and_the_run_ends_with_the_same_bits(
    tmp_path, monkeypatch, capsys, number, code
):
    whole = train.prepare(small.parsed(*small.RUN, f"--output_dir={tmp_path / 'whole'}"))
    whole.train()
    arguments = [*small.RUN, "--checkpoint_every=100", f"--output_dir={tmp_path / 'killed'}"]
    monkeypatch.setattr(sys, "argv", ["scripts/train.py", *arguments])
    count = checkpoints.Checkpoints.on_train_batch_end

    def signal_in_step_3(self, batch, logs=None):
        if self.step == 3:
            os.kill(os.getpid(), number)
        count(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "on_train_batch_end", signal_in_step_3)
        with pytest.raises(SystemExit) as end:
            commands.main(["train", *arguments])
    assert end.value.code == code
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "continue" in one]
    assert f"; step 3 is saved. To continue: python scripts/train.py --model={small.MODEL}" in line
    resumed = train.prepare(small.parsed(*arguments))
    assert resumed.checkpoints.step == 3
    resumed.train()
    weights = (run.model.classifier.get_weights() for run in (whole, resumed))
    for expected, found in zip(*weights):
        np.testing.assert_array_equal(expected, found)


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    arguments = [*small.RUN, "--steps=2", "--test_images=9", f"--output_dir={tmp_path}"]
    replace = os.replace

    def full(source, target):
        if str(target).endswith(name):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    for name in ("classifier.keras", "examples.png", "results.json"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            with pytest.raises(SystemExit) as end:
                commands.main(["train", *arguments])
        assert end.value.code == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"error: cannot write {tmp_path / name}: No space left on device.")
        assert not (tmp_path / name).exists()
        assert not list(tmp_path.glob(".partial*")) and not (tmp_path / ".lock").exists()
    commands.main(["train", *arguments])
    assert (tmp_path / "results.json").exists()
    assert "All 2 steps are done; evaluating." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--defense=wo10_lk",), "unknown defense 'wo10_lk': did you mean"),
        (("--no_such_flag=1",), "no_such_flag"),
        (("stray",), "stray"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, arguments, message):
    found = script_calls.call(command(*arguments, f"--output_dir={tmp_path / 'run'}"))
    assert found.returncode == 2
    last = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(last) == 1 and message in last[0]
    assert "Traceback" not in found.stderr


def test_help_is_grouped():
    found = script_calls.call(command("--help"))
    assert found.returncode == 0
    assert "Defense:\n  --defense:" in found.stdout and "--flagfile" in found.stdout


def test_a_diverging_run_says_so(tmp_path):
    found = script_calls.call(command("--learning_rate=1e30", f"--output_dir={tmp_path}"))
    assert found.returncode == 1
    assert "at step" in found.stderr and "Traceback" not in found.stderr
