"""The script as a user calls it: its files, its exit codes."""

from tests import script_calls


def test_all_writes_what_can_be_drawn(tmp_path):
    found = script_calls.run("plot.py", "--all", f"--output_dir={tmp_path / 'figures'}")
    assert found.returncode == 0, found.stderr
    assert "left out: cost: needs --runs=FOLDER" in found.stderr
    files = sorted((tmp_path / "figures").iterdir())
    assert [file.name for file in files] == ["no_trade_off.png", "no_trade_off.svg"]
    assert found.stdout.splitlines() == [f"Written: {file}" for file in files]
    assert all(file.stat().st_size > 20_000 for file in files)


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path):
    arguments = ("--figures=no_trade_off,lambda", f"--output_dir={tmp_path / 'figures'}")
    found = script_calls.call(script_calls.command("plot.py", *arguments))
    line = script_calls.mistake(found)
    assert line == "error: lambda: needs --runs=FOLDER with runs of train.py in it."
    assert not (tmp_path / "figures").exists()
