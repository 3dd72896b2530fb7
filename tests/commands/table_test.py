"""The script as a user calls it: killed and resumed, its exit codes."""

import csv
import json
import signal
import time

import numpy as np
import pytest

from tests import script_calls, small

RUN = tuple(flag for flag in small.RESNET_RUN if not flag.startswith("--defense"))


def command(*arguments):
    return script_calls.command("table.py", *RUN, "--test_images=30", *arguments)


def run(*arguments):
    return script_calls.finish(command(*arguments))


@pytest.mark.slow
def test_a_table_killed_within_its_second_run_resumes_there(tmp_path):
    options = ("--defenses=std,wo2_at", "--seeds=1", "--steps=40", "--checkpoint_every=7")
    options = (*options, f"--output_dir={tmp_path}")
    process = script_calls.start(command(*options))
    first, second = (tmp_path / f"resnet8_{name}_seed0" for name in ("std", "wo2_at"))
    while not list(second.glob("checkpoints/ckpt-[1-3]*.index")):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "table.md").exists() and not (second / "results.json").exists()

    finished = (first / "results.json").stat().st_mtime_ns
    resumed = run(*options)
    assert resumed.returncode == 0, resumed.stderr
    assert "run 1 of 2: std, seed 0, finished before" in resumed.stderr
    assert "run 2 of 2: wo2_at, seed 0\nContinuing from step" in resumed.stderr
    assert (first / "results.json").stat().st_mtime_ns == finished
    assert "Defenses on digits" in resumed.stdout
    text = (tmp_path / "table.md").read_text()
    assert f"--output_dir={tmp_path}" in text

    results = json.loads((second / "results.json").read_text())
    row = list(csv.DictReader((tmp_path / "table.csv").open()))[1]
    for name in ("natural", "random", "grid"):
        accuracy = results["accuracies"][name]
        np.testing.assert_allclose(float(row[f"{name}_mean"]), 100 * accuracy, rtol=1e-5)


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    arguments = ("--defenses=std,wo10_lk", f"--output_dir={tmp_path / 'table'}")
    found = script_calls.call(command(*arguments))
    assert found.returncode == 2
    last = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(last) == 1 and "unknown defense 'wo10_lk': did you mean" in last[0]
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "table").exists()


def test_help_is_grouped():
    found = script_calls.call(command("--help"))
    assert found.returncode == 0
    assert "Table:\n  --defenses:" in found.stdout and "Network:\n  --model:" in found.stdout
