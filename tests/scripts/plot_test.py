"""The script as a user calls it: its files, its exit codes."""

import os
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "plot.py"


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_all_writes_what_can_be_drawn(tmp_path):
    found = run("--all", f"--output_dir={tmp_path / 'figures'}")
    assert found.returncode == 0, found.stderr
    assert "left out: cost: needs --runs=FOLDER" in found.stderr
    files = sorted((tmp_path / "figures").iterdir())
    assert [file.name for file in files] == ["no_trade_off.png", "no_trade_off.svg"]
    assert found.stdout.splitlines() == [f"Written: {file}" for file in files]
    assert all(file.stat().st_size > 20_000 for file in files)


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    found = run("--figures=no_trade_off,lambda", f"--output_dir={tmp_path / 'figures'}")
    assert found.returncode == 2
    last = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert last == ["error: lambda: needs --runs=FOLDER with runs of train.py in it."]
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "figures").exists()
