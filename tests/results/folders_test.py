"""Folders of runs: what is found in them, and what is damaged."""

import os

import pytest

from spatial_keras.results import folders
from tests.made_results import results, write


def test_finished_runs_are_found_at_any_depth(tmp_path):
    write(tmp_path / "b" / "deep", results("std"))
    write(tmp_path / "a", results("wo10_kl"))
    write(tmp_path / "unfinished", None)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.json").write_text("{}")  # not of a run
    found = folders.find(tmp_path)
    assert found.finished == {
        tmp_path / "a": results("wo10_kl"),
        tmp_path / "b" / "deep": results("std"),
    }
    assert found.unfinished == [tmp_path / "unfinished"] and not found.damaged


@pytest.mark.parametrize("content", ["{", "[]", results().to_json().replace("0.97", '"0.97"')])
def test_damaged_results_are_named_and_left_out(tmp_path, content):
    write(tmp_path / "a", content)
    write(tmp_path / "b", results())
    found = folders.find(tmp_path)
    (line,) = found.damaged
    assert line.startswith(f"the results in {tmp_path / 'a'} cannot be read: ")
    assert "\n" not in line and not line.endswith(".")
    assert found.finished == {tmp_path / "b": results()} and not found.unfinished
    assert folders.finished(tmp_path / "a") is None
    with pytest.raises(folders.DamagedResultsError):
        folders.read(tmp_path / "a")


def test_results_that_cannot_be_opened_are_damaged(tmp_path):
    write(tmp_path / "a", None)
    (tmp_path / "a" / "results.json").mkdir()
    assert len(folders.find(tmp_path).damaged) == 1


def test_results_that_are_no_regular_file_are_not_read(tmp_path):
    write(tmp_path / "a", None)
    os.mkfifo(tmp_path / "a" / "results.json")
    (line,) = folders.find(tmp_path).damaged
    assert "is not a regular file" in line


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        folders.find(tmp_path / "none")
