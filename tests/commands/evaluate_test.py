"""The script as a user calls it: its tables, its files, killed and resumed, its exit codes."""

import json
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from tests import script_calls


@pytest.fixture(name="model", scope="module")
def make_model(tmp_path_factory):
    """A small classifier of 8x8 digits that gives probabilities for images in 0..1."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([8, 8, 1])
    outputs = tf.keras.layers.Dense(10, "softmax")(tf.keras.layers.Flatten()(inputs))
    path = tmp_path_factory.mktemp("model") / "some.keras"
    tf.keras.Model(inputs, outputs).save(path)
    return path


def command(model, *arguments):
    options = (f"--model={model}", "--dataset=digits", "--image_size=8", "--input_range=0,1")
    return script_calls.command("evaluate.py", *options, *arguments)


def run(model, *arguments):
    return script_calls.finish(command(model, *arguments))


def test_tables_and_files(model, tmp_path):
    output = tmp_path / "found.json"
    options = ("--limit=20", "--grid_counts=3,3,3", "--attack_refinements=2", "--attack_steps=2")
    found = run(model, *options, f"--output={output}")
    assert found.returncode == 0, found.stderr
    for text in ("natural", "attack", "95% interval", "Accuracy by class", "Right along rotation"):
        assert text in found.stdout
    assert "gives probabilities" in found.stdout and "first 20 of 360" in found.stdout
    assert "survived=" in found.stderr  # the progress bar
    results = json.loads(output.read_text())
    accuracies = {name: measure["accuracy"] for name, measure in results["measures"].items()}
    assert accuracies["attack"] <= accuracies["grid"] <= accuracies["natural"]
    assert len(output.with_suffix(".csv").read_text().splitlines()) == 21


def test_gates_and_comparisons_end_with_exit_code_1(model, tmp_path):
    options = ("--limit=20", "--measures=natural,grid", "--grid_counts=1,1,3")
    before, after = (f"--output={tmp_path / name}.json" for name in ("before", "after"))
    reached = script_calls.call(
        command(
            model, *options, before, "--fail_under=grid:0,natural:0%", f"--junit={tmp_path}/a.xml"
        )
    )
    assert reached.returncode == 0, reached.stderr
    compared = script_calls.call(
        command(
            model, *options, after, f"--compare={tmp_path}/before.json", "--fail_under=grid:1",
            f"--markdown={tmp_path}/a.md",
        )
    )  # fmt: skip
    assert compared.returncode == 1
    (line,) = [line for line in compared.stderr.splitlines() if line.startswith("failed: ")]
    assert line.startswith("failed: grid: ") and line.endswith("below 100.0%")
    assert "+0.0 (0.0 to 0.0) points; loses 0, gains 0 images" in compared.stdout
    found = json.loads((tmp_path / "after.json").read_text())
    names = [each["measure"] for each in found["comparison"]["differences"]]
    assert names == ["natural", "grid"] and found["verdict"] in (tmp_path / "a.md").read_text()
    other = script_calls.call(
        command(model, "--limit=19", *options[1:], after, f"--compare={tmp_path}/before.json")
    )
    assert "is of other images" in script_calls.mistake(other)


@pytest.mark.slow
def test_an_evaluation_killed_within_the_map_resumes(model, tmp_path):
    output = f"--output={tmp_path / 'a.json'}"
    options = ("--limit=30", "--measures=grid", "--map", "--batch_size=8", output)
    process = script_calls.start(command(model, *options))
    rows = tmp_path / ".partial-a" / ".partial-map" / "rows.txt"
    while not rows.exists():
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "a.json").exists()
    resumed = run(model, *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    digits = sk.data.get("digits", image_size=8)
    outcome = sk.evaluation.Evaluator(
        model, digits.test_images[:30], digits.test_labels[:30], input_range=(0, 1)
    ).grid()
    found = json.loads((tmp_path / "a.json").read_text())["measures"]["grid"]["accuracy"]
    assert found == outcome.accuracy
    assert np.load(tmp_path / "a_map" / "losses.npy").shape == (30, 775)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--measures=grd",), "did you mean 'grid'"),
        (("--no_such_flag=1",), "no_such_flag"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(model, arguments, message):
    found = script_calls.call(command(model, *arguments))
    assert found.returncode == 2
    last = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(last) == 1 and message in last[0]
    assert "Traceback" not in found.stderr


def test_help_is_grouped(model):
    found = script_calls.call(command(model, "--help"))
    assert found.returncode == 0
    assert "Measures:\n  --measures:" in found.stdout
