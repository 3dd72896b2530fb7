"""A run's folder belongs to one configuration, and its files are whole or absent."""

import dataclasses

import pytest

from spatial_keras.experiments import command_line
from spatial_keras.experiments.run_config import RunConfig
from spatial_keras.experiments.run_folder import FLAGS_FILE, RunFolder, check

CONFIG = RunConfig(defense="wo10_kl", steps=800, pgd_step_sizes=(2.0, 0.5, 30.0))


def test_flags_are_kept_as_a_flagfile(tmp_path):
    RunFolder(tmp_path / "a" / "b", CONFIG)
    text = (tmp_path / "a/b" / FLAGS_FILE).read_text()
    assert {"--defense=wo10_kl", "--steps=800", "--pgd_step_sizes=2,0.5,30"} < {*text.split()}
    assert command_line.read(RunConfig, tmp_path / "a/b" / FLAGS_FILE) == CONFIG


def test_the_same_flags_may_come_back(tmp_path):
    RunFolder(tmp_path, CONFIG)
    text = (tmp_path / FLAGS_FILE).read_text()
    RunFolder(tmp_path, dataclasses.replace(CONFIG, data_dir="elsewhere", output_dir="there"))
    assert (tmp_path / FLAGS_FILE).read_text() == text


def test_the_order_and_the_spelling_of_flags_make_no_difference(tmp_path):
    (tmp_path / FLAGS_FILE).write_text("--steps=0800\n--pgd_step_sizes=2.0,.5,3e1\n")
    RunFolder(tmp_path, CONFIG)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 801}, "--steps is 800 there, 801 here"),
        ({"pgd_step_sizes": None}, "--pgd_step_sizes is 2,0.5,30 there, not set here"),
        ({"lambda_": 1.0}, "--lambda is not set there, 1.0 here"),
    ],
)
def test_other_flags_are_refused_by_name(tmp_path, changes, message):
    RunFolder(tmp_path, CONFIG)
    with pytest.raises(ValueError, match=message) as error:
        RunFolder(tmp_path, dataclasses.replace(CONFIG, **changes))
    assert str(error.value).count("there") == 1  # names only what differs


def test_a_check_leaves_nothing(tmp_path):
    check(tmp_path / "new", CONFIG)
    assert not (tmp_path / "new").exists()
    RunFolder(tmp_path / "old", CONFIG)
    check(tmp_path / "old", CONFIG)
    with pytest.raises(ValueError, match="--steps is 800 there, 80000 here"):
        check(tmp_path / "old", dataclasses.replace(CONFIG, steps=80_000))


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
    assert folder.read_results() is None
    folder.write_results({"accuracies": {"grid": 0.5}})
    assert folder.read_results() == {"accuracies": {"grid": 0.5}}
