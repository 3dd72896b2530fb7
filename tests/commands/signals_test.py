"""Ctrl-C and SIGTERM outside of training: one line, its exit code, and the same command goes on."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from spatial_keras import evaluation, figures
from spatial_keras.experiments import building, evaluate, image_sets, table, train, tune
from spatial_keras.reporting import plot, report
from tests import script_calls, small

CODES = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
SIGNALS = pytest.mark.parametrize("number", CODES)
RUN = (*small.RUN, "--steps=1", "--test_images=9")


def ended(monkeypatch, place, name, number, command):
    """Runs a command that gets a signal when it calls a function; returns the line it ends with."""
    function = getattr(place, name)

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), number)
        return function(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, interrupted)
        patch.setattr("sys.argv", command[1:])
        found = script_calls.call(command)
    code, reason = CODES[number]
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr and not found.stdout
    line = found.stderr.splitlines()[-1]
    if command[1].endswith(("plot.py", "report.py")):  # which begin anew
        assert line == f"{reason}."
    else:
        assert line.startswith(f"{reason}. To continue: python {command[1]}")
    return line


def catches(process, number):
    """Returns whether a process has a handler for a signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) >> (number - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("number", "later"), [(signal.SIGINT, 1), (signal.SIGTERM, 0)])
def test_a_signal_while_tensorflow_is_imported(number, later, tmp_path):
    command = [sys.executable, "-m", "spatial_keras", "plot", "--all"]
    environment = script_calls.ENVIRONMENT
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        while not catches(process, signal.SIGTERM):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(later)
        process.send_signal(number)
        errors = process.stderr.read()
    code, reason = CODES[number]
    assert (process.returncode, errors) == (code, f"{reason}.\n")
    assert not list(tmp_path.iterdir())


def test_a_run_that_loads_builds_evaluates_or_draws(tmp_path, monkeypatch):
    command = script_calls.command("train.py", *RUN, f"--output_dir={tmp_path / 'run'}")
    for number, place, name in (
        (signal.SIGINT, image_sets, "load"), (signal.SIGTERM, building, "build_classifier"),
        (signal.SIGINT, train.Experiment, "_grid"), (signal.SIGTERM, figures, "to_png"),
    ):  # fmt: skip
        ended(monkeypatch, place, name, number, command)
        left = {file.name for file in (tmp_path / "run").glob("*")}
        assert not left & {".lock", "results.json"}
        assert not [name for name in left if name.startswith(".partial")]
    found = script_calls.call(command)
    assert found.returncode == 0 and found.stderr.startswith("All 1 steps are done; evaluating.")
    assert json.loads((tmp_path / "run" / "results.json").read_text())["flags"]["steps"] == "1"


@pytest.mark.parametrize(
    ("script", "place", "arguments"),
    [
        ("table.py", table, ["--defenses=std"]),
        ("tune.py", tune, []),
        ("plot.py", plot, ["--figures=no_trade_off"]),
        ("report.py", report, ["--runs=."]),
        ("evaluate.py", evaluate, ["--run=."]),
    ],
)
@SIGNALS
def test_every_command(tmp_path, monkeypatch, number, script, place, arguments):
    monkeypatch.chdir(tmp_path)
    command = script_calls.command(script, *arguments)
    ended(monkeypatch, place, "prepare", number, command)
    assert not list(tmp_path.iterdir())


@SIGNALS
def test_a_figure_that_is_drawn(tmp_path, monkeypatch, number):
    command = script_calls.command("plot.py", "--figures=no_trade_off", f"--output_dir={tmp_path}")
    for name in ("no_trade_off", "save"):
        ended(monkeypatch, figures, name, number, command)
        assert not list(tmp_path.iterdir())


@SIGNALS
def test_an_evaluation_that_measures(tmp_path, monkeypatch, number):
    inputs = tf.keras.Input([8, 8, 1])
    outputs = tf.keras.layers.Dense(10)(tf.keras.layers.Flatten()(inputs))
    tf.keras.Model(inputs, outputs).save(tmp_path / "some.keras")
    options = ("--dataset=digits", "--image_size=8", "--limit=9", "--measures=natural,random")
    command = script_calls.command(
        "evaluate.py", f"--model={tmp_path / 'some.keras'}", *options, f"--output={tmp_path}/a.json"
    )
    for name in ("natural", "random"):
        line = ended(monkeypatch, evaluation.Evaluator, name, number, command)
        assert line.endswith(" --resume")
    assert not list(tmp_path.glob(".lock*")) and not (tmp_path / "a.json").exists()
    assert script_calls.call([*command, "--resume"]).returncode == 0
