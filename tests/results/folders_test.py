"""Folders of runs: what is found in them, and what is damaged."""

import json
import re

import pytest

from spatial_keras.results import folders
from tests.results.variants_test import results


def write(folder, content):
    folder.mkdir(parents=True)
    (folder / "run.flags").write_text("--seed=0\n")
    (folder / "results.json").write_text(content)


def test_finished_runs_are_found_at_any_depth(tmp_path):
    write(tmp_path / "b" / "deep", json.dumps(results("std")))
    write(tmp_path / "a", json.dumps(results("wo10_kl")))
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "run.flags").write_text("--seed=0\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.json").write_text("{}")  # not of a run
    found = folders.find(tmp_path)
    assert found.finished == {
        tmp_path / "a": results("wo10_kl"), tmp_path / "b" / "deep": results("std")
    }  # fmt: skip
    assert found.unfinished == [tmp_path / "unfinished"] and not found.damaged


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "in .*a cannot be read"),
        ("[]", "in .*a are not those of a run"),
        ('{"flags": {}, "timing": {}}', "have no 'accuracies'"),
        ('{"flags": {}, "timing": 3, "accuracies": {}}', "have no 'timing'"),
        (json.dumps(results("wo10_lk")), "a have other flags .* did you mean 'wo10_"),
        (json.dumps(results("std", "a")), "--seed must be an integer, got 'a'"),
        (json.dumps(results("std", width="0")), "--width must be more than 0, got 0"),
    ],
)
def test_broken_results_are_named_and_left_out(tmp_path, content, message):
    write(tmp_path / "a", content)
    write(tmp_path / "b", json.dumps(results("std")))
    found = folders.find(tmp_path)
    (line,) = found.damaged
    assert re.search(message, line) and "\n" not in line
    assert found.finished == {tmp_path / "b": results("std")} and not found.unfinished


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--runs: there is no folder"):
        folders.find(tmp_path / "none")
