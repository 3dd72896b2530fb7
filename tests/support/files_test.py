"""Files are whole or they are not there."""

import os

import numpy as np
import pytest

from spatial_keras.support import files


def test_text(tmp_path):
    files.write_text(tmp_path / "a.md", "1 ± 2\n")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "1 ± 2\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.md"]


def test_arrays(tmp_path):
    arrays = {"one": np.arange(3), "two": np.array(1.5)}
    files.write_arrays(tmp_path / "a.npz", **arrays)
    with np.load(tmp_path / "a.npz") as found:
        assert {name: found[name].tolist() for name in found.files} == {
            "one": [0, 1, 2], "two": 1.5,
        }  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_another_process_may_write_the_same_file_meanwhile(tmp_path, monkeypatch):
    def write(path):
        path.write_text("mine")
        monkeypatch.setattr(os, "getpid", lambda: -1)
        files.write_text(tmp_path / "a.txt", "theirs")
        assert (tmp_path / "a.txt").read_text() == "theirs"

    files.write(tmp_path / "a.txt", write)
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    files.write_text(tmp_path / "a.txt", "whole")
    with pytest.raises(OSError, match="disk full"):
        files.write(tmp_path / "a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("error", [OSError("a\nb" + 300 * " c"), KeyError(), IndexError("x")])
def test_whatever_goes_wrong_in_reading_is_one_line(error):
    with pytest.raises(ValueError, match="^model 'x' cannot be read .*") as found:
        with files.failures_in_one_line("model 'x' cannot be read"):
            raise error
    assert found.value.__cause__ is error
    assert "\n" not in str(found.value) and 25 < len(str(found.value)) < 250
