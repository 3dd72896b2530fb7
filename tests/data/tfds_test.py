"""Sets of TFDS: read as stored, refused, or fetched."""

from __future__ import annotations

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds

from spatial_keras import data

SHAPE = (4, 6, 3)
CLASSES = ["cat", "dog", "eel"]


def pixels(count, shape=SHAPE):
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def examples(count, shape=SHAPE, label=None):
    """Images that differ between splits of different size; labels 0, 1, 2, 0, ..., or `label`."""
    return [
        (row, {"image": image, "label": row % 3 if label is None else label})
        for row, image in enumerate(pixels(count, shape))
    ]


def store(folder, name="tiny", version="1.0.0", shape=SHAPE, **splits):
    """Writes a set with the classes CLASSES to `folder`, as TFDS keeps it."""
    features = {
        "image": tfds.features.Image(shape=shape),
        "label": tfds.features.ClassLabel(names=CLASSES),
    }
    return tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets=splits,
        data_dir=folder,
        disable_shuffling=True,
    )


def message_of(*arguments, kind=ValueError):
    """The message of the error that get() raises, which is one line."""
    with pytest.raises(kind) as caught:
        data.get(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tfds_set_is_read_as_stored(tmp_path):
    store(tmp_path, train=examples(7), test=examples(4))
    tiny = data.get("tiny", tmp_path)
    for images, labels, count in (
        (tiny.train_images, tiny.train_labels, 7),
        (tiny.test_images, tiny.test_labels, 4),
    ):
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(images, pixels(count))
        np.testing.assert_array_equal(labels, np.arange(count) % 3)
    assert tiny.class_names == tuple(CLASSES)
    assert tiny.input_shape == SHAPE
    assert not tiny.flip_keeps_label


def test_tfds_set_of_any_version(tmp_path):
    store(tmp_path, version="1.0.0", train=examples(7), test=examples(4))
    store(tmp_path, version="2.0.0", train=examples(8), test=examples(4))
    assert len(data.get("tiny", tmp_path).train_images) == 8
    assert len(data.get("tiny:1.0.0", tmp_path).train_images) == 7


@pytest.mark.parametrize(
    ("name", "flips"), [("cifar10", True), ("cifar10:1.0.0", True), ("svhn_cropped", False)]
)
def test_flips_go_by_the_name(tmp_path, name, flips):
    store(tmp_path, name.split(":")[0], train=examples(7), test=examples(4))
    assert data.get(name, tmp_path).flip_keeps_label == flips


def test_tests_on_validation_without_labelled_test(tmp_path):
    store(tmp_path, "plain", train=examples(7), validation=examples(5))
    store(
        tmp_path,
        "secret",
        train=examples(7),
        test=examples(4, label=-1),
        validation=examples(5),
    )
    for name in ("plain", "secret"):
        np.testing.assert_array_equal(data.get(name, tmp_path).test_images, pixels(5))


@pytest.mark.parametrize("stream", ["on", "off"])
@pytest.mark.parametrize("splits", [{}, {"test": examples(4, label=-1)}])
def test_a_part_of_the_training_images_is_held_out(tmp_path, splits, stream):
    store(tmp_path, train=examples(12), **splits)
    tiny = data.get("tiny", tmp_path, test_fraction=0.25, stream=stream)
    assert sorted(tiny.test_labels) == [0, 1, 2] and len(tiny.train_labels) == 9
    stored = {image.tobytes(): row % 3 for row, image in enumerate(pixels(12))}
    for images, labels in (
        (tiny.train_images, tiny.train_labels), (tiny.test_images, tiny.test_labels)
    ):  # fmt: skip
        assert [stored.pop(image.tobytes()) for image in np.asarray(images)] == list(labels)
    assert not stored


def test_the_part_to_test_on_has_to_be_given_where_it_is_needed(tmp_path):
    store(tmp_path, train=examples(7))
    message = message_of("tiny", tmp_path)
    assert message == "data set 'tiny' has no labelled test images: give --test_fraction, e.g. 0.2."
    store(tmp_path, "whole", train=examples(7), test=examples(4))
    message = message_of("whole", tmp_path, None, 0.2)
    assert message == "--test_fraction has no effect: 'whole' has test images."


@pytest.mark.parametrize("split", ["test", "validation"])
@pytest.mark.parametrize("stream", ["on", "off"])
def test_a_set_to_test_on_has_no_training_images(tmp_path, split, stream):
    store(tmp_path, **{split: examples(4)})
    tiny = data.get("tiny", tmp_path, stream=stream)
    np.testing.assert_array_equal(tiny.test_images, pixels(4))
    assert tiny.train_images.shape == (0, *SHAPE) and tiny.input_shape == SHAPE


@pytest.mark.parametrize("splits", [{"test": examples(4, label=-1)}, {"other": examples(4)}])
def test_refuses_a_set_without_labelled_splits(tmp_path, splits):
    store(tmp_path, **splits)
    message = message_of("tiny", tmp_path)
    assert "'tiny' must have a split train or a labelled split test or validation" in message
    assert message.endswith(f"it has {', '.join(splits)}.")


def test_images_of_different_size_need_a_size(tmp_path):
    images = [np.full((height, 5, 3), 10 * height, np.uint8) for height in (3, 8, 20)]
    rows = [(row, {"image": image, "label": row}) for row, image in enumerate(images)]
    store(tmp_path, shape=(None, None, 3), train=rows, test=rows)
    assert "'tiny' differ in size" in message_of("tiny", tmp_path)
    assert "--image_size" in message_of("tiny", tmp_path)
    resized = data.get("tiny", tmp_path, 6).train_images
    expected = np.array([30, 80, 200], np.uint8)[:, None, None, None]
    np.testing.assert_array_equal(resized, np.broadcast_to(expected, (3, 6, 6, 3)))


def test_resizing(tmp_path):
    store(tmp_path, shape=(8, 8, 3), train=examples(7, (8, 8, 3)), test=examples(4, (8, 8, 3)))
    same, small = (data.get("tiny", tmp_path, size).train_images for size in (8, 4))
    np.testing.assert_array_equal(same, pixels(7, (8, 8, 3)))
    # Halving with antialiasing weighs four pixels 1, 3, 3, 1 along each axis.
    weights = np.convolve([1, 1], [1, 2, 1]) / 8
    middle = pixels(7, (8, 8, 3))[:, 1:5, 1:5].astype(float)
    expected = np.einsum("nijc,i,j->nc", middle, weights, weights)
    np.testing.assert_allclose(small[:, 1, 1], expected, atol=0.501)


def test_refuses_a_set_that_is_not_of_images(tmp_path):
    features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=CLASSES)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="words",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": [(0, {"text": "a", "label": 0})]},
        data_dir=tmp_path,
    )
    message = message_of("words", tmp_path)
    assert "'words' is not for image classification" in message
    assert "text" in message


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file[:-20], "truncated"),
        (lambda file: b"", "says to have 7 images, and has 0"),
    ],
)
def test_refuses_damaged_files(tmp_path, damage, message):
    builder = store(tmp_path, train=examples(7), test=examples(4))
    (file,) = builder.data_path.glob("*train*record*")
    file.write_bytes(damage(file.read_bytes()))
    found = message_of("tiny", tmp_path)
    assert found.startswith(f"data set 'tiny' in {builder.data_dir} cannot be read (")
    assert message in found
    assert "{{" not in found


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("cifar1O", "cifar10"), ("digitz", "digits"), ("svhn_croped", "svhn_cropped")],
)
def test_unknown_name_gets_the_nearest(tmp_path, name, nearest):
    message = message_of(name, tmp_path)
    assert message.startswith(f"unknown data set '{name}': did you mean '{nearest}'?")


@pytest.mark.parametrize("name", ["", "huggingface:cifar10", "../tiny", "cifar10[:5]"])
def test_refuses_malformed_names(tmp_path, name):
    assert message_of(name, tmp_path).startswith(f"unknown data set '{name}'")


@pytest.mark.parametrize("name", ["cifar10/none", "cifar10:99.0.0"])
def test_refuses_unknown_configurations(tmp_path, name):
    assert message_of(name, tmp_path).startswith(f"data set '{name}' cannot be read: ")


@pytest.mark.parametrize("size", [0, -3])
def test_refuses_a_size_below_one(size):
    message = f"image_size must be at least 1, got {size}; the nearest allowed is 1."
    assert message_of("digits", None, size) == message


# Fetching, without network.


def no_answer(url, timeout):
    raise requests.ConnectionError(f"{url} is\nunreachable")


@pytest.mark.parametrize("name", ["cifar10", "cats_vs_dogs"])
def test_without_network_says_how_to_get_the_set(tmp_path, monkeypatch, name):
    monkeypatch.setattr(requests, "head", no_answer)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", pytest.fail)
    message = message_of(name, tmp_path, 32, kind=data.DataNotFoundError)
    assert f"'{name}' is not on disk in {tmp_path / name}" in message
    assert "could not be fetched (no answer from https://" in message
    assert f"tfds.load('{name}', data_dir='{tmp_path}')" in message
    assert not list(tmp_path.iterdir())


def test_failed_download_is_one_line(tmp_path, monkeypatch):
    def fail(self):
        raise OSError("the disk\nis full")

    monkeypatch.setattr(requests, "head", lambda url, timeout: None)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    message = message_of("cifar10", tmp_path, kind=data.DataNotFoundError)
    assert "could not be fetched (the disk is full)" in message


def test_set_that_is_not_on_disk_is_made_once(tmp_path, monkeypatch):
    def builder(name, data_dir):
        return tfds.testing.DummyMnist(data_dir=data_dir)

    monkeypatch.setattr(tfds, "builder", builder)
    first = data.get("dummy_mnist", tmp_path)
    assert first.train_images.shape == (20, 28, 28, 1)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", pytest.fail)
    again = data.get("dummy_mnist", tmp_path)
    np.testing.assert_array_equal(again.train_labels, first.train_labels)


def test_labels_without_a_name_are_refused(tmp_path):
    store(tmp_path, train=examples(7), test=examples(4))
    # TFDS checks what it writes, not what it reads.
    (tmp_path / "tiny" / "1.0.0" / "label.labels.txt").write_text("cat\ndog\n")
    message = message_of("tiny", tmp_path)
    assert "2 names of classes, for 0 to 1, and its split train has the label 2" in message


@pytest.mark.parametrize("told", [9, 5])
def test_a_set_with_other_images_than_it_says_is_refused(tmp_path, told):
    store(tmp_path, train=examples(7), test=examples(4))
    file = tmp_path / "tiny" / "1.0.0" / "dataset_info.json"
    assert '"7"' in file.read_text()
    file.write_text(file.read_text().replace('"7"', f'"{told}"'))
    assert f"train says to have {told} images, and has 7" in message_of("tiny", tmp_path)
