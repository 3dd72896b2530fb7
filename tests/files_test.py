"""Files are whole or they are not there."""

import numpy as np
import pytest

from spatial_keras import files


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


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    files.write_text(tmp_path / "a.txt", "whole")
    with pytest.raises(OSError, match="disk full"):
        files.write(tmp_path / "a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "whole"
