"""A run's folder belongs to one configuration, and its files are whole or absent."""

import dataclasses
import os
import subprocess

import pytest

from spatial_keras.configuration import command_line
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments.run_folder import (
    RunFolder,
    holds,
    read_config,
)
from spatial_keras.results import folders
from spatial_keras.results.folders import FLAGS_FILE
from spatial_keras.support import files, locks
from tests.made_results import results

CONFIG = RunConfig(
    defense="wo10_kl", steps=800, search_options=(("pgd_step_sizes", (2.0, 0.5, 30.0)),)
)


def test_flags_are_kept_as_a_flagfile(tmp_path):
    RunFolder(tmp_path / "a" / "b", CONFIG)
    text = (tmp_path / "a/b" / FLAGS_FILE).read_text()
    assert {"--defense=wo10_kl", "--steps=800", "--pgd_step_sizes=2,0.5,30"} < {*text.split()}
    assert command_line.read(RunConfig, tmp_path / "a/b" / FLAGS_FILE) == CONFIG


def test_the_same_flags_may_come_back(tmp_path):
    RunFolder(tmp_path, CONFIG)
    text = (tmp_path / FLAGS_FILE).read_text()
    RunFolder(tmp_path, dataclasses.replace(CONFIG, data_dir=".", output_dir="there"))
    assert (tmp_path / FLAGS_FILE).read_text() == text


@pytest.mark.parametrize("name", [".lock", "checkpoints", ".partial-evaluation", "run.flags"])
def test_nothing_in_a_folder_leads_out_of_it(tmp_path, name):
    RunFolder(tmp_path / "run", CONFIG, alone=False)
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "run" / name).unlink(missing_ok=True)
    (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"{name}' is a link: nothing in '.*run' is used"):
        RunFolder(tmp_path / "run", CONFIG)
    with pytest.raises(ValueError, match=f"{name}' is a link: nothing in '.*run' is used"):
        read_config(tmp_path / "run", RunConfig)
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_the_order_and_the_spelling_of_flags_make_no_difference(tmp_path):
    (tmp_path / FLAGS_FILE).write_text("--steps=0800\n--pgd_step_sizes=2.0,.5,3e1\n")
    RunFolder(tmp_path, CONFIG)
    assert command_line.read(RunConfig, tmp_path / FLAGS_FILE) == CONFIG


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 801}, "--steps is 800 there, 801 here"),
        ({"search_options": ()}, "--pgd_step_sizes is 2,0.5,30 there, not set here"),
        ({"lambda_": 1.0}, "--lambda is not set there, 1.0 here"),
    ],
)
def test_other_flags_are_refused_by_name(tmp_path, changes, message):
    RunFolder(tmp_path, CONFIG)
    with pytest.raises(ValueError, match=message) as error:
        RunFolder(tmp_path, dataclasses.replace(CONFIG, **changes))
    assert str(error.value).count("there") == 1  # names only what differs


def test_a_check_leaves_nothing(tmp_path):
    assert not holds(tmp_path / "new", CONFIG)
    assert not (tmp_path / "new").exists()
    RunFolder(tmp_path / "old", CONFIG)
    assert holds(tmp_path / "old", CONFIG)
    with pytest.raises(ValueError, match="--steps is 800 there, 80000 here"):
        holds(tmp_path / "old", dataclasses.replace(CONFIG, steps=80_000))


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write to"):
        RunFolder(tmp_path / "file" / "run", CONFIG)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    folder.write_text("a.txt", "old")

    def fail(path):
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        folder.write("a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "old"


def test_results_come_back(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    assert folders.read(tmp_path) is None
    folder.write_results(results("std"))
    assert folders.read(tmp_path) == results("std")


def test_damaged_results_are_kept_when_there_are_others(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    (tmp_path / "results.json").write_text("{")
    folder.write_results(results("std"))
    assert folders.read(tmp_path) == results("std")
    assert (tmp_path / "damaged_results.json").read_text() == "{"
    folder.write_results(results("std_star"))
    assert (tmp_path / "damaged_results.json").read_text() == "{"


def test_a_second_process_is_refused_until_the_first_closes(tmp_path):
    first = RunFolder(tmp_path, CONFIG)
    with pytest.raises(locks.BusyError, match=f"process {os.getpid()} on .* is at work on"):
        RunFolder(tmp_path, CONFIG)
    RunFolder(tmp_path, CONFIG, alone=False)
    first.close()
    RunFolder(tmp_path, CONFIG).close()
    assert {file.name for file in tmp_path.iterdir()} == {FLAGS_FILE}


def test_flags_of_which_lines_are_lost(tmp_path):
    RunFolder(tmp_path, CONFIG).close()
    file = tmp_path / FLAGS_FILE
    whole = file.read_text()
    assert read_config(tmp_path, RunConfig) == CONFIG
    lines = whole.splitlines(keepends=True)
    for damaged in (lines[:5], lines[:7] + lines[8:], [], lines[3:]):
        file.write_text("".join(damaged))
        with pytest.raises(ValueError, match="is damaged, it has lost lines"):
            read_config(tmp_path, RunConfig)
        RunFolder(tmp_path, CONFIG).close()  # the same command mends it
        assert file.read_text() == whole
    file.write_text("--steps=7\n")
    with pytest.raises(ValueError, match="other flags .--steps is 7 there, 800 here.; choose"):
        RunFolder(tmp_path, CONFIG)


def test_flags_that_are_unknown_are_one_line(tmp_path):
    RunFolder(tmp_path, CONFIG).close()
    with (tmp_path / FLAGS_FILE).open("a") as file:
        file.write("--stepps=3\n")
    for use in (lambda: RunFolder(tmp_path, CONFIG), lambda: read_config(tmp_path, RunConfig)):
        with pytest.raises(ValueError, match="cannot be read: .*stepps") as error:
            use()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("line", ["--unsafe", "--output_dir=x"])
def test_flags_that_no_run_keeps_are_refused(tmp_path, line):
    model = tmp_path / "a.keras"
    RunFolder(tmp_path, RunConfig(model=str(model))).close()
    with (tmp_path / FLAGS_FILE).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match="is damaged: no run writes --(unsafe|output_dir)"):
        read_config(tmp_path, RunConfig)


def test_what_killed_processes_left_is_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f"{dead.pid}@{files.node()}-a.png", "1-b", "9@far-c"):
        (tmp_path / f".partial-{name}").write_text("half")
    (tmp_path / ".partial-evaluation").mkdir()
    RunFolder(tmp_path, CONFIG).close()
    left = {file.name for file in tmp_path.iterdir()} - {FLAGS_FILE}
    assert left == {".partial-1-b", ".partial-9@far-c", ".partial-evaluation"}
