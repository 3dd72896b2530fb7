"""Images in folders: both layouts, every kind of file, and what is refused in one line."""

import unicodedata

import numpy as np
import PIL.Image
import pytest

from spatial_keras import data
from spatial_keras.data import folder

RNG = np.random.default_rng(0)
CLASSES = ("Ärzte", "кошка", "犬", "dog")


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path, **options)


def write(root, number=5, size=(6, 7), classes=CLASSES, suffix=".png"):
    """Writes images of one colour each, and returns it by file."""
    colors = {}
    for label, name in enumerate(classes):
        for i in range(number):
            color = np.uint8([40 * label, 10 * i, 200])
            file = root / name / f"{i} ünï.code{suffix}"
            save(file, np.broadcast_to(color, [*size, 3]))
            colors[file] = color
    return colors


def test_classes_in_one_folder_are_shared_out_by_class_and_seed(tmp_path):
    write(tmp_path, number=10)
    found = folder.from_folder(tmp_path, test_fraction=0.25)
    assert found.class_names == tuple(sorted(CLASSES)) and found.input_shape == (6, 7, 3)
    assert np.bincount(found.test_labels).tolist() == [3] * 4
    assert np.bincount(found.train_labels).tolist() == [7] * 4
    label_of = {40 * CLASSES.index(name): i for i, name in enumerate(found.class_names)}
    for images, labels in (
        (found.train_images, found.train_labels), (found.test_images, found.test_labels),
    ):  # fmt: skip
        assert images.dtype == np.uint8 and labels.dtype == np.int32
        assert [label_of[int(image[0, 0, 0])] for image in images] == labels.tolist()
    every = np.concatenate([found.train_images, found.test_images])
    assert len(np.unique(every[:, 0, 0], axis=0)) == 40
    again, other = (folder.from_folder(tmp_path, None, 0.25, seed) for seed in (0, 1))
    np.testing.assert_array_equal(again.test_images, found.test_images)
    assert np.any(other.test_images != found.test_images)


@pytest.mark.parametrize("name", ["test", "val", "validation"])
def test_a_folder_of_test_images(tmp_path, name):
    write(tmp_path / "train"), write(tmp_path / name, number=2)
    found = data.get(f"folder:{tmp_path}")
    assert len(found.train_labels) == 20 and len(found.test_labels) == 8
    np.testing.assert_array_equal(found.test_labels, np.repeat(np.arange(4), 2))
    assert found.name == f"folder:{tmp_path}"


def test_names_of_two_spellings_are_one_class(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Ärzte") for form in ("NFC", "NFD"))
    (
        write(tmp_path / "train", classes=(composed, "b")),
        write(tmp_path / "test", classes=(decomposed, "b")),
    )
    assert set(folder.from_folder(tmp_path).class_names) == {composed, "b"}


def test_images_are_named_by_their_places(tmp_path):
    colors = write(tmp_path, classes=("a", "b"))
    found = folder.from_folder(tmp_path, test_fraction=0.4)
    for images, names in (
        (found.train_images, found.train_names), (found.test_images, found.test_names)
    ):  # fmt: skip
        for image, name in zip(images, names):
            np.testing.assert_array_equal(image[0, 0], colors.pop(tmp_path / name))
    assert not colors


GREY = np.arange(42, dtype=np.uint8).reshape(6, 7)
COLOR = RNG.integers(0, 256, [6, 7, 3]).astype(np.uint8)


def palette(path):
    image = PIL.Image.fromarray(COLOR).quantize(256)
    image.save(path)
    return np.asarray(image.convert("RGB"))


def of_16_bits(path):
    PIL.Image.fromarray(GREY.astype(np.uint16) * 257 + 100).save(path)
    return GREY[..., None]


def transparent(path):
    PIL.Image.fromarray(np.dstack([COLOR, GREY])).save(path)
    return COLOR


def grey(path):
    PIL.Image.fromarray(GREY).save(path)
    return GREY[..., None]


def grey_and_transparent(path):
    PIL.Image.fromarray(GREY).convert("LA").save(path)
    return GREY[..., None]


def bilevel(path):
    PIL.Image.fromarray(GREY > 20).save(path)
    return 255 * (GREY > 20)[..., None]


def turned(path):
    image = PIL.Image.fromarray(COLOR)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    image.save(path, exif=exif)
    return np.rot90(COLOR, -1)


@pytest.mark.parametrize(
    "make", [palette, of_16_bits, transparent, grey, grey_and_transparent, bilevel, turned]
)
def test_pixels_of_every_kind_of_png(tmp_path, make):
    for name in "ab":
        for i in range(2):
            (tmp_path / name).mkdir(exist_ok=True)
            expected = make(tmp_path / name / f"{i}.png")
    found = folder.from_folder(tmp_path, test_fraction=0.5)
    for image in found.train_images:
        np.testing.assert_array_equal(image, expected)


def test_grey_and_coloured_images_together_have_three_channels(tmp_path):
    for i in range(2):
        save(tmp_path / "a" / f"{i}.png", GREY), save(tmp_path / "b" / f"{i}.png", COLOR)
    found = folder.from_folder(tmp_path, test_fraction=0.5)
    np.testing.assert_array_equal(found.train_images[0], np.dstack(3 * [GREY]))
    np.testing.assert_array_equal(found.train_images[1], COLOR)


def test_images_of_several_sizes_are_resized(tmp_path):
    write(tmp_path, classes=("a",)), write(tmp_path, classes=("b",), size=(9, 4), suffix=".jpg")
    found = data.get(f"folder:{tmp_path}", image_size=8, test_fraction=0.2)
    assert found.input_shape == (8, 8, 3)
    np.testing.assert_allclose(found.train_images[..., 2], 200, atol=3)
    with pytest.raises(ValueError, match="differ in size, 6x7 and 9x4: give one .--image_size"):
        folder.from_folder(tmp_path, test_fraction=0.2)


def damage(root):
    write(root, classes=("a", "b"), suffix=".jpg")
    for name, size in (("cut.jpg", 300), ("nothing.jpg", 0)):
        content = (root / "a" / "0 ünï.code.jpg").read_bytes()
        (root / "a" / name).write_bytes(content[:size])


def test_damaged_images_are_refused_by_name_or_left_out(tmp_path):
    damage(tmp_path)
    with pytest.raises(ValueError, match=r"image '.*a.cut.jpg' cannot be read .*; --skip") as error:
        folder.from_folder(tmp_path, test_fraction=0.2)
    assert "\n" not in str(error.value)
    with pytest.warns(UserWarning, match="2 damaged images are left out: .*cut.jpg, .*nothing.jpg"):
        found = folder.from_folder(tmp_path, test_fraction=0.2, skip_damaged=True)
    assert len(found.train_labels) + len(found.test_labels) == 10


def test_what_is_left_out_and_what_is_there_twice_is_said(tmp_path):
    (
        write(tmp_path / "train", classes=("a", "b")),
        write(tmp_path / "test", classes=("a", "b"), size=(6, 7)),
    )
    (tmp_path / "train" / "a" / "old.tif").write_text("no image")
    with pytest.warns(UserWarning) as warned:
        found = folder.from_folder(tmp_path)
    assert [str(each.message) for each in warned] == list(found.notes)
    assert found.notes[0] == f"Left out of '{tmp_path}', as they are no images: 1 .tif."
    start = (
        "10 of 10 test images are among the training images: 'test/a/0 ünï.code.png' is 'train/a/0"
    )
    assert found.notes[1].startswith(start) and found.notes[1].endswith(", ....")


def two_layouts(root):
    write(root / "train"), write(root / "test")


def unknown_class(root):
    write(root / "train"), write(root / "test", classes=("dog", "dot"))


def empty_class(root):
    write(root)
    (root / "cat").mkdir()


@pytest.mark.parametrize(
    ("make", "fraction", "message"),
    [
        (lambda root: None, 0.2, "must hold a folder of images for each of at least two classes"),
        (lambda root: write(root, classes=("a",)), 0.2, "at least two classes, it holds 1"),
        (write, None, "has no folder of test images: give --test_fraction"),
        (two_layouts, 0.2, "--test_fraction has no effect: '.*test' holds the test images"),
        (write, 1.0, r"test_fraction must be in \(0, 1\), got 1.0"),
        (lambda root: write(root, number=1), 0.5, "class 'dog' has 1 images, too few to hold"),
        (unknown_class, None, "unknown class in '.*test' 'dot': did you mean 'dog'"),
        (empty_class, 0.2, "class 'cat' has no images in"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, make, fraction, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        folder.from_folder(tmp_path, test_fraction=fraction)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        data.get(f"folder:{tmp_path / 'nothing'}", test_fraction=0.2)
    with pytest.raises(ValueError, match="has no effect: 'digits' has test images"):
        data.get("digits", test_fraction=0.2)
