"""Files are read from within tf.data to the bits that Pillow has."""

from __future__ import annotations

import dataclasses
import itertools
import zlib

import numpy as np
import PIL.EpsImagePlugin
import PIL.Image
import pytest
import tensorflow as tf

from spatial_keras import data
from spatial_keras.data import image_files
from spatial_keras.data.images_on_disk import ImagesOnDisk
from spatial_keras.data.sizing import Sizing
from spatial_keras.support import files

RNG = np.random.default_rng(0)


def photo(size):
    """A picture of several scales, with edges."""
    height, width = size
    coarse = RNG.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3)).astype(np.uint8)
    smooth = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.BICUBIC)
    noisy = np.asarray(smooth) + RNG.normal(0, 12, (height, width, 3))
    noisy[height // 3 :, width // 2 :] = 255 - noisy[height // 3 :, width // 2 :]
    return PIL.Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def plain(folder):
    """JPEGs of many kinds, that TensorFlow reads."""
    kinds = itertools.product(
        [(64, 48), (37, 61)], [0, 1, 2], [60, 95], [False, True], ["RGB", "L"]
    )
    for number, (size, subsampling, quality, progressive, mode) in enumerate(kinds):
        file = folder / f"{number}.jpg"
        photo(size).convert(mode).save(
            file, quality=quality, subsampling=subsampling, progressive=progressive
        )
        yield file


def special(folder):
    """Files that Pillow reads."""
    image = photo((37, 61))
    for turned in range(1, 9):
        exif = image.getexif()
        exif[0x0112] = turned
        image.save(folder / f"turned{turned}.jpg", exif=exif)
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.quantize(16).save(folder / "palette.png")
    image.save(folder / "plain.png"), image.save(folder / "plain.bmp")
    (
        image.save(folder / "some.webp"),
        image.save(folder / "moves.gif", save_all=True, append_images=[image.rotate(9)]),
    )
    PIL.Image.fromarray(RNG.integers(0, 2**16, (9, 8)).astype(np.uint16)).save(folder / "16.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize(("make", "by_tensorflow"), [(plain, True), (special, False)])
def test_every_file_is_read_as_pillow_reads_it(tmp_path, make, by_tensorflow):
    paths = list(make(tmp_path))
    for number, path in enumerate(paths):
        expected = image_files.decoded(path)
        reader = image_files.FileReader(paths, Sizing(), expected.shape)
        np.testing.assert_array_equal(reader.read(tf.constant(number)), expected)
        if "turned1" not in path.name:
            assert image_files._is_plain_jpeg(path.read_bytes()) == by_tensorflow


def test_grey_ones_among_coloured_ones_and_sizes(tmp_path):
    paths = list(plain(tmp_path))
    images = ImagesOnDisk(image_files.FileReader(paths, Sizing(16, 0.9), (16, 16, 3)), range(48))
    for image, path in zip(np.asarray(images), paths):
        expected = np.asarray(Sizing(16, 0.9)(image_files.decoded(path)))
        np.testing.assert_array_equal(image, np.broadcast_to(expected, (16, 16, 3)))
        assert image_files.is_grey(path) == (expected.shape[2] == 1)


def write_set(root, number=6):
    for part, name in itertools.product(("train", "test"), ("a", "ß b")):
        folder = root / part / name
        folder.mkdir(parents=True)
        for i in range(number):
            photo((20 + i, 24)).save(folder / f"{i}.{'png' if i == 1 else 'jpg'}")
    photo((30, 20)).convert("L").save(root / "train" / "a" / "grey.jpg")


def test_a_folder_on_disk_is_the_folder_in_memory(tmp_path):
    write_set(tmp_path)
    memory, disk = (
        data.get(f"folder:{tmp_path}", image_size=16, crop=0.875, stream=stream)
        for stream in ("auto", "on")
    )
    assert isinstance(disk.train_images, ImagesOnDisk) and disk.input_shape == (16, 16, 3)
    for part in ("train", "test"):
        for kind in ("images", "labels", "names"):
            found, expected = (getattr(one, f"{part}_{kind}") for one in (disk, memory))
            np.testing.assert_array_equal(found, expected)
    streams = [one.training_batches(3, 1, first_step=2, flip=True) for one in (memory, disk)]
    for (images, labels), (others, other_labels) in zip(*[each.take(9) for each in streams]):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


def test_grey_folders_on_disk_have_one_channel(tmp_path):
    for name, i in itertools.product("ab", range(4)):
        (tmp_path / name).mkdir(exist_ok=True)
        photo((8, 8)).convert("L").save(tmp_path / name / f"{i}.jpg")
    memory, disk = (
        data.from_folder(tmp_path, test_fraction=0.5, stream=each) for each in ("off", "on")
    )
    assert disk.input_shape == (8, 8, 1)
    np.testing.assert_array_equal(disk.train_images, memory.train_images)


@pytest.mark.parametrize(("name", "size"), [("cut.jpg", 300), ("no.jpg", 0), ("cut.png", 200)])
def test_damaged_files_on_disk_are_named_or_left_out(tmp_path, name, size):
    write_set(tmp_path)
    source = tmp_path / "train" / "a" / f"1{name[-4:]}"
    if not source.exists():
        source = source.with_name(f"2{name[-4:]}")
    (tmp_path / "train" / "a" / name).write_bytes(source.read_bytes()[:size])
    found = data.get(f"folder:{tmp_path}", image_size=16, stream="on")
    found.check_test_images()
    turned = dataclasses.replace(found, test_images=found.train_images)
    for read in (lambda: np.asarray(found.train_images), turned.check_test_images):
        with pytest.raises(files.ReadError, match=f"^image '.*a.{name}' cannot be read [^\n]*$"):
            read()
    with pytest.warns(UserWarning, match=f"1 damaged images are left out: .*{name}"):
        found = data.get(f"folder:{tmp_path}", image_size=16, skip_damaged=True, stream="on")
    assert np.asarray(found.train_images).shape == (13, 16, 16, 3)
    assert len(found.train_labels) == 13


def named(file, kind):
    """Returns what an image that cannot be read is refused with, read at once or within tf.data."""
    if kind == "at once":
        with pytest.raises(ValueError) as error:
            image_files.decoded(file)
    else:
        reader = image_files.FileReader([file], Sizing(8), (8, 8, 3))
        with pytest.raises(Exception) as error:  # noqa: B017 - TensorFlow's own
            reader.read(tf.constant(0))
    return str(error.value)


@pytest.mark.parametrize("kind", ["at once", "within tf.data"])
@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
@pytest.mark.parametrize(
    ("width", "height", "message"),
    [(9_000, 9_000, "more than 67,108,864"), (33_000, 1, "a side more than 32,768")],
)
def test_few_bytes_that_say_to_be_many_pixels_are_refused(  # noqa: PLR0913
    tmp_path, suffix, kind, width, height, message
):
    file = tmp_path / f"bomb.{suffix}"
    PIL.Image.new("RGB", (8, 8)).save(file)
    content = file.read_bytes()
    order = "little" if suffix == "bmp" else "big"
    wide, high = width.to_bytes(4, order), height.to_bytes(4, order)
    if suffix == "png":
        header = content[12:16] + wide + high + content[24:29]
        checksum = zlib.crc32(header).to_bytes(4, "big")
        content = content[:12] + header + checksum + content[33:]
    elif suffix == "bmp":
        content = content[:18] + wide + high + content[26:]
    else:
        place = content.index(b"\xff\xc0") + 5
        content = content[:place] + high[2:] + wide[2:] + content[place + 4 :]
    file.write_bytes(content)
    assert f"it has {width} x {height} pixels, {message}" in named(file, kind)


def test_no_format_is_read_for_which_pillow_runs_a_program(tmp_path, monkeypatch):
    file = tmp_path / "drawing.jpg"
    PIL.Image.new("RGB", (8, 8)).save(file, format="EPS")
    monkeypatch.setattr(PIL.EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("runs"))
    assert "cannot identify image file" in named(file, "at once")
