"""Flagfiles are expanded where they stand; the package's count where a path does not exist."""

from __future__ import annotations

import pathlib

import pytest
from absl import flags

from spatial_keras.configuration import flagfiles

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Another working directory than the clone."""
    monkeypatch.chdir(tmp_path)


def write(name: str, *lines: str) -> str:
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return f"--flagfile={name}"


def test_lines_stand_in_the_place_of_the_file():
    inner = write("b/inner.flags", "--x=1", "", "  ", "# --x=2", "//--x=3", "  --y=a b  ")
    outer = write("outer.flags", "--x=0", inner, "--z")
    assert flagfiles.expand(["--w", outer, "--x=4"]) == [
        "--w", "--x=0", "--x=1", "--y=a b", "--z", "--x=4",
    ]  # fmt: skip


@pytest.mark.parametrize("form", [["--flagfile=a"], ["-flagfile=a"], ["--flagfile", "a"]])
def test_as_absl_expands_them(form):
    write("a", "--x=1", "# a comment", "", "--y")
    write("c", "--z=3")
    arguments = ["--w=2", *form, "--flagfile=c", "--x=5"]
    expected = flags.FlagValues().read_flags_from_files(arguments)
    assert flagfiles.expand(arguments) == expected == ["--w=2", "--x=1", "--y", "--z=3", "--x=5"]


def test_the_same_file_may_stand_twice():
    once = write("a.flags", "--x=1")
    assert flagfiles.expand([once, write("b.flags", once, once)]) == ["--x=1"] * 3


def test_a_file_of_the_package_leads_to_another():
    name = "flags/digits/wo10_kl.flags"
    base = (ROOT / "flags/digits/base.flags").read_text().splitlines()
    expected = [line for line in base if not line.startswith("#")] + ["--defense=wo10_kl"]
    assert flagfiles.expand([f"--flagfile={name}"]) == expected
    assert flagfiles.find(name).samefile(ROOT / name)


def test_the_working_directory_comes_first():
    name = "flags/digits/base.flags"
    assert flagfiles.expand([write(name, "--mine"), "--flagfile=flags/digits/std.flags"]) == [
        "--mine", "--mine", "--defense=std",
    ]  # fmt: skip


def test_the_package_has_all():
    files = ROOT.glob("flags/**/*.flags")
    assert flagfiles.names() == sorted(file.relative_to(ROOT).as_posix() for file in files)
    assert len(flagfiles.names()) > 50


def test_mistakes():
    for name, message in [
        (
            "flags/digits/wo10_lk.flags",
            "^no flagfile 'flags/digits/wo10_lk.flags' here or among those of the package: "
            "did you mean 'flags/digits/wo10_kl.flags'",
        ),
        ("nothing", r"^no flagfile 'nothing' here or among those of the package\.$"),
        ("", "^no flagfile ''"),
        ("circle", "^flagfile .*circle leads to itself"),
        ("binary", "^flagfile binary cannot be read: "),
    ]:
        write("circle", "--flagfile=circle2")
        write("circle2", "--flagfile=circle")
        pathlib.Path("binary").write_bytes(b"\xff\xfe")
        with pytest.raises(ValueError, match=message):
            flagfiles.expand([f"--flagfile={name}"])


def test_the_mark_that_some_editors_write_first():
    pathlib.Path("marked").write_bytes(b"\xef\xbb\xbf--seed=1\r\n")
    assert flagfiles.expand(["--flagfile=marked"]) == ["--seed=1"]


def test_a_flagfile_that_is_not_named():
    with pytest.raises(ValueError, match="no flagfile ''"):
        flagfiles.expand(["--flagfile"])


def test_files_that_name_each_other_are_soon_too_many(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(26):
        (tmp_path / f"{number}.flags").write_text(2 * f"--flagfile={number + 1}.flags\n")
    (tmp_path / "26.flags").write_text("")
    with pytest.raises(ValueError, match="^the flagfiles lead to more than 100 others"):
        flagfiles.expand(["--flagfile=0.flags"])


def test_a_home_that_is_not_there_is_a_file_that_is_not_there():
    with pytest.raises(ValueError, match="^no flagfile '~nosuchuser/x'"):
        flagfiles.expand(["--flagfile=~nosuchuser/x"])
