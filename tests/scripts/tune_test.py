"""The script as a user calls it: its table, its files, its exit codes."""

import os
import pathlib
import subprocess
import sys

import small

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "tune.py"


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1]), "COLUMNS": "120"}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_a_search_ends_with_a_table_a_figure_and_a_command(tmp_path):
    folder = tmp_path / "search"
    options = ("--max_trials=2", "--validation_images=20", f"--output_dir={folder}")
    found = run(*small.RUN, *options)
    assert found.returncode == 0, found.stderr
    assert [f"trial {n}: lambda " in found.stderr for n in (1, 2)] == [True, True]
    assert "Trials on 20 held-out training images" in found.stdout
    assert f"python scripts/train.py --flagfile={folder}/best.flags" in found.stdout
    assert (folder / "lambda.png").stat().st_size > 10_000
    assert all((folder / f"trial_{n}" / "classifier.keras").exists() for n in (0, 1))


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    found = run("--lambdas=8,1", f"--output_dir={tmp_path / 'search'}")
    assert found.returncode == 2
    last = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert last == ["error: --lambdas must be positive and ascending, got '8,1'."]
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "search").exists()
