"""The script as a user calls it: its file, its exit codes."""

import json

from spatial_keras.commands import report
from spatial_keras.results import comparison
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
    assert found.stdout == f"Written: {tmp_path / 'runs' / 'report.html'}, report.csv\n"
    assert "left out: lambda: needs runs of one defense" in found.stderr
    assert ">80.00 ±" in (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    found = script_calls.call(script_calls.command("report.py", f"--runs={tmp_path}"))
    line = script_calls.mistake(found)
    assert line == f"error: --runs: there is no finished run in '{tmp_path}'."
    assert not list(tmp_path.iterdir())


def test_two_defenses_are_compared_by_seed(tmp_path):
    for defense, grids in (("wo10_at", (0.2, 0.3)), ("wo10_kl", (0.4, 0.4))):
        for seed, grid in enumerate(grids):
            results = {
                "accuracies": {"natural": 0.97, "random": 0.9, "grid": grid},
                "test_images": 180,
                "train_images": 500,
                "steps": 80,
                "timing": {"seconds_per_step": 0.1},
                "versions": {"numpy": "1"},
                "flags": {
                    "dataset": "digits",
                    "model": "resnet8",
                    "defense": defense,
                    "seed": f"{seed}",
                },
            }
            folder = tmp_path / f"{defense}{seed}"
            folder.mkdir()
            (folder / "run.flags").write_text("")
            (folder / "results.json").write_text(json.dumps(results))
    options = (f"--runs={tmp_path}", "--compare=wo10_at,wo10_kl", "--nobest_run")
    found = script_calls.run("report.py", *options, COLUMNS="120")
    assert found.returncode == 0, found.stderr
    # There are 25% and 100/7% fewer errors, and as natural accuracy is level, 26.0% and 14.9% fewer
    # broken images; the standard errors are 5.36 and 5.52, and t(1) = 12.7.
    (line,) = [line for line in found.stdout.splitlines() if "+15.0" in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "500", "80", "2", "+0.0", "+15.0", "+19.6 (-48.4 to 87.7)", "+20.4 (-49.7 to 90.6)",
    ]  # fmt: skip
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 5


def test_what_the_pairs_differ_in_has_a_column():
    def pair(model, weight):
        at, alp = (comparison.Setting(500, model, 0.5, 80, one) for one in (0.0, weight))
        return comparison.Comparison(at, alp, (0,), 1, 15, comparison.Estimate(25), None)

    def columns(*pairs):
        return [column.header for column in report.table(pairs, "at", "alp").columns]

    always = [
        "training images", "steps of at", "pairs", "natural", "grid", "fewer errors, %",
        "fewer broken, %",
    ]  # fmt: skip
    assert columns(pair("resnet8", 4.0)) == always
    found = columns(pair("resnet8", 4.0), pair("resnet14", 16.0))
    assert set(found) - set(always) == {"network", "lambda of alp"}
