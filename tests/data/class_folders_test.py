"""Which files of a folder are images, and what is said of the others."""

import os

import pytest

from spatial_keras import data
from spatial_keras.data import class_folders
from tests.data.folder_test import write


def test_nothing_hidden_and_no_other_format_is_read_and_all_of_it_is_counted(tmp_path):
    images = write(tmp_path / "cat", number=2, classes=("", "deeper"))
    for name in (".ipynb_checkpoints/0-checkpoint.png", ".thumbnails/x/y.png", ".x.png"):
        (tmp_path / "cat" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cat" / name).write_bytes(b"hidden")
    for name in ("a.tif", "b.TIF", "c.svg", "d"):
        (tmp_path / "cat" / name).write_bytes(b"of another format")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "cat" / "linked").symlink_to(tmp_path)
    with (tmp_path / "cat" / "large.jpg").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "cat" / "one more.png").symlink_to(next(iter(images)))
    others = class_folders.LeftOut()
    found = others.images_in(tmp_path / "cat")
    assert found == sorted([*images, tmp_path / "cat" / "one more.png"])
    assert str(others) == "3 hidden, 3 not regular, 2 .tif, 1 too large, 1 .svg, ..."


def test_a_class_of_which_all_is_left_out_says_why(tmp_path):
    write(tmp_path, classes=("a",)), write(tmp_path, classes=("b",), suffix=".tiff")
    message = "^class 'b' has no images in '.*'. Left out of '.*', as they are no images: 5 .tiff.$"
    with pytest.raises(ValueError, match=message):
        data.get(f"folder:{tmp_path}", test_fraction=0.4)


def test_names_are_such_as_can_be_shown_and_written(tmp_path):
    names = (b"caf\xe9", b"\x1b]0;title\x07", "日本 👩‍🚀".encode())
    for name in names:
        write(tmp_path, classes=(os.fsdecode(name),))
    found = data.get(f"folder:{tmp_path}", test_fraction=0.2)
    assert found.class_names == (r"\x1b]0;title\x07", r"caf\udce9", "日本 👩‍🚀")
    assert {name.split("/")[0] for name in found.train_names} == set(found.class_names)


def test_two_folders_of_one_name_are_refused(tmp_path):
    write(tmp_path, classes=("Ärzte", "A\u0308rzte", "b"))
    with pytest.raises(ValueError, match="two folders in '.*' have the name 'Ärzte'"):
        data.get(f"folder:{tmp_path}", test_fraction=0.2)
