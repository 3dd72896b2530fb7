"""Files are whole or they are not there."""

import errno
import os

import numpy as np
import pytest

from spatial_keras.support import files


def test_text(tmp_path):
    files.write_text(tmp_path / "b" / "a.md", "1 ± 2\n")
    assert (tmp_path / "b" / "a.md").read_text(encoding="utf-8") == "1 ± 2\n"
    assert [file.name for file in (tmp_path / "b").iterdir()] == ["a.md"]


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


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("cannot write (errno = 28, error message = 'No space left on device')"),
    ],
)
def test_a_full_disk_leaves_nothing_and_is_named(tmp_path, error):
    def fail(path):
        path.write_text("half")
        raise error

    files.write_text(tmp_path / "a.txt", "whole")
    with pytest.raises(files.WriteError) as found:
        files.write(tmp_path / "a.txt", fail)
    assert str(found.value) == f"cannot write {tmp_path / 'a.txt'}: No space left on device."
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    files.write_text(tmp_path / "a.txt", "whole")
    with pytest.raises(OSError, match="disk full"):
        files.write(tmp_path / "a.txt", fail)
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_folder_in_the_place_of_a_file_is_the_reason(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(files.WriteError, match="cannot write .*/a.txt: Is a directory.") as error:
        files.write_text(tmp_path / "a.txt", "text")
    # As those see it who end the program with one line.
    assert files.system_reason(error.value) == "Is a directory"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def pipe(path):
    os.mkfifo(path)


def link(path):
    path.symlink_to(path.parents[1] / "elsewhere")


def device(path):
    path.symlink_to("/dev/zero")


def dangling(path):
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [pipe, link, device, dangling])
def test_only_regular_files_are_read_and_nothing_else_lies_in_a_folder(tmp_path, make):
    (tmp_path / "elsewhere").write_text("elsewhere")
    (tmp_path / "inner").mkdir()
    files.check_tree(tmp_path)
    make(tmp_path / "inner" / "file")
    with pytest.raises(files.ReadError, match="file' is (a link|not a regular file)"):
        files.regular(tmp_path / "inner" / "file")
    with pytest.raises(files.ReadError, match="file' is (a link|neither a file nor a folder)"):
        files.check_tree(tmp_path)
    if make is link:
        assert files.regular(tmp_path / "inner" / "file", links=True).read_text() == "elsewhere"
        return
    with pytest.raises((files.ReadError, FileNotFoundError)):
        files.regular(tmp_path / "inner" / "file", links=True)


def test_a_file_of_more_bytes_than_allowed_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(bytes(5))
    assert files.regular(tmp_path / "a", 5) == tmp_path / "a"
    with pytest.raises(files.ReadError, match="a' has 5 bytes, 4 are allowed"):
        files.regular(tmp_path / "a", 4)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1 << 16, np.uint8))
    assert files.read_arrays(tmp_path / "a.npz", 70_000)["a"].size == 1 << 16
    with pytest.raises(files.ReadError, match="holds 65,664 bytes, 60,000 are allowed"):
        files.read_arrays(tmp_path / "a.npz", 60_000)


def test_names_are_such_as_can_be_shown():
    names = {"a b": "a b", "日本 👩\u200d🚀": "日本 👩\u200d🚀", "\x1b[2J\n": r"\x1b[2J\n"}
    names |= {os.fsdecode(b"caf\xe9"): r"caf\udce9", "a\u202eb": r"a\u202eb"}
    for name, shown in names.items():
        assert files.presentable(name) == shown
        shown.encode()


def test_a_path_without_the_suffix_is_named():
    files.check_suffix("--output", "a/b.c.json", ".json")
    for path in ("a", "a.html", ".json", "a/.json", "a/..json", "a.json/", "json", "a.json.gz"):
        with pytest.raises(ValueError, match="^--output must be NAME.json, got '"):
            files.check_suffix("--output", path, ".json")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "new" / "er"):
        files.check_folder("--output", folder)
    for folder in (tmp_path / "file", tmp_path / "file" / "x" / "y"):
        with pytest.raises(ValueError, match="^--output: '.*/file' is a file, where a folder"):
            files.check_folder("--output", folder)


@pytest.mark.parametrize("error", [OSError("a\nb" + 300 * " c"), KeyError(), IndexError("x")])
def test_whatever_goes_wrong_in_reading_is_one_line(error):
    with pytest.raises(ValueError, match="^model 'x' cannot be read .*") as found:
        with files.failures_in_one_line("model 'x' cannot be read"):
            raise error
    assert found.value.__cause__ is error
    assert "\n" not in str(found.value) and 25 < len(str(found.value)) < 250


def test_one_line_is_without_the_names_of_operations():
    error = ValueError("{{function_node x}} a file\nis short [Op:IteratorGetNext] name: ")
    assert files.one_line(error) == "a file is short"


@pytest.mark.parametrize("has_call", [True, False])
def test_a_file_takes_its_space(tmp_path, monkeypatch, has_call):
    if not has_call:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(b"head")
        file.truncate(3 << 20)
    files.reserve(path)
    assert path.read_bytes() == b"head" + bytes((3 << 20) - 4)
    assert path.stat().st_blocks * 512 >= 3 << 20
