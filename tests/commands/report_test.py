"""The script as a user calls it: its file, its exit codes."""

import json

from tests import script_calls


def test_the_page_is_written_beside_the_runs(tmp_path):
    results = {
        "accuracies": {"natural": 0.97, "random": 0.9, "grid": 0.8},
        "test_images": 180,
        "timing": {"seconds_per_step": 0.1},
        "versions": {"numpy": "1"},
        "flags": {"dataset": "digits", "model": "resnet8", "defense": "wo10_kl", "seed": "0"},
    }
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "run.flags").write_text("")
    (folder / "results.json").write_text(json.dumps(results))
    found = script_calls.run("report.py", f"--runs={tmp_path / 'runs'}")
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"Written: {tmp_path / 'runs' / 'report.html'}\n"
    assert "left out: lambda: needs runs of one defense" in found.stderr
    assert ">80.00 ±" in (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    found = script_calls.call(script_calls.command("report.py", f"--runs={tmp_path}"))
    line = script_calls.mistake(found)
    assert line == f"error: --runs: there is no finished run in '{tmp_path}'."
    assert not list(tmp_path.iterdir())
