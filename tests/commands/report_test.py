"""The script as a user calls it: its file, its exit codes."""

from tests import script_calls
from tests.made_results import results, write


def test_the_page_is_written_beside_the_runs(tmp_path):
    write(tmp_path / "runs" / "a", results("wo10_kl"))
    found = script_calls.run("report.py", f"--runs={tmp_path / 'runs'}")
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"Written: {tmp_path / 'runs' / 'report.html'}, report.csv\n"
    assert "left out: lambda: needs runs of one defense" in found.stderr
    assert ">80.00<" in (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    found = script_calls.call(script_calls.command("report.py", f"--runs={tmp_path}"))
    line = script_calls.mistake(found)
    assert line == f"error: --runs: there is no finished run in '{tmp_path}'."
    assert not list(tmp_path.iterdir())


def test_two_defenses_are_compared_by_seed(tmp_path):
    for defense, grids in (("wo10_at", (0.2, 0.3)), ("wo10_kl", (0.4, 0.4))):
        for seed, grid in enumerate(grids):
            write(tmp_path / f"{defense}{seed}", results(defense, seed, grid, train_images=500))
    options = (f"--runs={tmp_path}", "--compare=wo10_at,wo10_kl", "--nobest_run")
    found = script_calls.run("report.py", *options, COLUMNS="120")
    assert found.returncode == 0, found.stderr
    # There are 25% and 100/7% fewer errors, and as natural accuracy is level, 26.0% and 14.9% fewer
    # broken images; the standard errors are 5.36 and 5.52, and t(1) = 12.7.
    (line,) = [line for line in found.stdout.splitlines() if "+15.0" in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "500", "800", "2", "+0.0", "+15.0", "+19.6 (-48.4 to 87.7)", "+20.4 (-49.7 to 90.6)",
    ]  # fmt: skip
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 5
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>wo10_kl against wo10_at</h2>" in page and "<td>+19.6 (-48.4 to 87.7)</td>" in page
