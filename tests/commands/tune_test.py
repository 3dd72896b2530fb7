"""The script as a user calls it: its table, its files, its exit codes."""

import socket

import pytest

from tests import script_calls, small


def test_a_search_ends_with_a_table_a_figure_and_a_command(tmp_path):
    folder = tmp_path / "search"
    options = ("--max_trials=2", "--validation_images=20", f"--output_dir={folder}")
    found = script_calls.run("tune.py", *small.RUN, "--width=1", *options, COLUMNS="120")
    assert found.returncode == 0, found.stderr
    assert [f"trial {n}: lambda " in found.stderr for n in (1, 2)] == [True, True]
    assert "Trials on 20 held-out training images" in found.stdout
    assert f"spatial-keras train --flagfile={folder}/best.flags" in found.stdout
    assert (folder / "lambda.png").stat().st_size > 10_000
    assert len(list(folder.glob("trial_*/classifier.keras"))) == 2


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@pytest.mark.slow
def test_a_worker_runs_the_trials_that_the_chief_chooses(tmp_path):
    options = ("--max_trials=2", "--validation_images=20", f"--output_dir={tmp_path}")
    command = script_calls.command("tune.py", *small.RUN, "--width=1", *options)
    address = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": free_port()}
    chief = script_calls.start(command, KERASTUNER_TUNER_ID="chief", **address)
    try:
        worker = script_calls.finish(command, KERASTUNER_TUNER_ID="tuner0", **address)
        assert worker.returncode == 0, worker.stderr
        assert [f"trial {n}: lambda " in worker.stderr for n in (1, 2)] == [True, True]
        assert worker.stdout.startswith("This worker has no more trials to run; the chief")
        assert chief.wait(timeout=120) == 0
    finally:
        chief.kill()
    rows = (tmp_path / "table.csv").read_text().splitlines()
    assert sorted(row.split(",")[0] for row in rows) == ["1", "2", "trial"]
    for name in ("classifier.keras", "results.json"):
        assert len(list(tmp_path.glob(f"trial_*/{name}"))) == 2
    assert (tmp_path / "best.flags").exists()


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    arguments = ("--lambdas=8,1", f"--output_dir={tmp_path / 'search'}")
    found = script_calls.call(script_calls.command("tune.py", *arguments))
    line = script_calls.mistake(found)
    assert line == "error: --lambdas must be positive and ascending, got '8,1'."
    assert not (tmp_path / "search").exists()
