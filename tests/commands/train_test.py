"""The script as a user calls it: killed and resumed, and its exit codes."""

import json
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from tests import script_calls, small


def command(*arguments):
    return script_calls.command("train.py", *small.RUN, *arguments)


def run(*arguments):
    return script_calls.finish(command(*arguments))


FAST = "--train_images=300 --mirror --schedule=cosine --optimizer=nesterov --search_from=0.5"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["", FAST], ids=["paper", "fast"])
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(tmp_path, recipe):
    steps = ("--steps=40", "--checkpoint_every=7", "--test_images=30", *recipe.split())
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
