from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

from spatial_keras import data

COUNT, SHAPE = 24, (4, 6, 3)
CLASSES = ["cat", "dog", "eel"]


def pixels(count, shape=SHAPE):
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.fixture(scope="module")
def digits():
    return data.get("digits")


@pytest.fixture(scope="module")
def numbered():
    """A set whose labels are the row numbers of the images, all different."""
    images, labels = pixels(COUNT), np.arange(COUNT, dtype=np.int32)
    names = tuple(str(label) for label in labels)
    return data.Dataset("numbered", images, labels, images[:5], labels[:5], names, True)


def take(batches, count):
    """`count` batches: images [count, batch, h, w, c] and labels [count, batch]."""
    pairs = list(batches.take(count).as_numpy_iterator())
    return np.stack([images for images, _ in pairs]), np.stack([labels for _, labels in pairs])


def bilinear(image, size):
    """Samples at half-pixel centres, outside = the nearest pixel, image [h, h]."""
    at = np.clip((np.arange(size) + 0.5) * len(image) / size - 0.5, 0, len(image) - 1)
    weights = np.maximum(1 - abs(at[:, None] - np.arange(len(image))), 0)
    return weights @ image @ weights.T


# The digits.


def test_digits_are_grey_images_with_labels(digits):
    assert digits.name == "digits"
    assert digits.train_images.shape == (1437, 32, 32, 1)
    assert digits.test_images.shape == (360, 32, 32, 1)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int32
    assert (digits.train_images.min(), digits.train_images.max()) == (0, 255)
    assert digits.input_shape == (32, 32, 1)
    assert digits.class_names == tuple("0123456789")
    assert digits.num_classes == 10
    assert "train_images" not in repr(digits)


def test_digits_split_is_stratified(digits):
    test, train = (np.bincount(labels) for labels in (digits.test_labels, digits.train_labels))
    np.testing.assert_allclose(test, (test + train) / 5, atol=1)


def test_digits_split_loses_and_doubles_nothing():
    from sklearn import datasets

    small = data.get("digits", image_size=8)
    images = np.concatenate([small.train_images, small.test_images]).reshape(-1, 64)
    labels = np.concatenate([small.train_labels, small.test_labels])
    raw, targets = datasets.load_digits(return_X_y=True)
    expected = np.round(raw * (255 / 16)).astype(int)
    rows = [tuple(row) for row in np.column_stack([images, labels]).tolist()]
    assert sorted(rows) == sorted(map(tuple, np.column_stack([expected, targets]).tolist()))


@pytest.mark.parametrize("size", [16, 32])
def test_digits_are_resized_bilinearly(size):
    small = data.get("digits", image_size=8).train_images[:50, ..., 0] / 255
    large = data.get("digits", image_size=size).train_images[:50, ..., 0]
    expected = [255 * bilinear(np.round(image * 16) / 16, size) for image in small]
    np.testing.assert_allclose(large, expected, atol=0.501)


def test_digits_are_never_flipped(digits):
    images, labels = take(digits.training_batches(479, seed=0), 3)
    order = np.lexsort(images.reshape(1437, -1).T)
    expected = np.lexsort(digits.train_images.reshape(1437, -1).T)
    np.testing.assert_array_equal(
        images.reshape(digits.train_images.shape)[order], digits.train_images[expected]
    )


# The stream of training batches.


@pytest.mark.parametrize("batch_size", [1, 6, 24])
def test_each_epoch_has_every_image_once(numbered, batch_size):
    _, labels = take(numbered.training_batches(batch_size, seed=0), 3 * COUNT // batch_size)
    epochs = labels.reshape(3, COUNT)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(COUNT), (3, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_rest_of_an_epoch_is_left_out(numbered):
    _, labels = take(numbered.training_batches(5, seed=0), 40)
    epochs = labels.reshape(10, 20)
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert set(epochs.ravel()) == set(range(COUNT))


@pytest.fixture(scope="module", params=[5, 6], ids=["batch5", "batch6"])
def batch_size_and_stream(request, numbered):
    """Four steps per epoch: with a rest that is left out, and without."""
    return request.param, take(numbered.training_batches(request.param, 7), 12)


@pytest.mark.parametrize("first_step", [3, 4, 9])
def test_stream_goes_on_from_any_step(numbered, batch_size_and_stream, first_step):
    batch_size, (images, labels) = batch_size_and_stream
    resumed = numbered.training_batches(batch_size, 7, first_step)
    later_images, later_labels = take(resumed, 12 - first_step)
    np.testing.assert_array_equal(later_images, images[first_step:])
    np.testing.assert_array_equal(later_labels, labels[first_step:])


def test_stream_starts_far_away_at_once(numbered):
    _, labels = take(numbered.training_batches(6, 7, first_step=4 * 10**12), 4)
    assert sorted(labels.ravel()) == list(range(COUNT))


@pytest.mark.parametrize("count", [1, 300])
def test_held_out_images_are_training_images_left_out(digits, count):
    left = digits.hold_out(count)
    assert len(left.test_images) == len(left.test_labels) == count

    def pairs(*parts):
        return sorted((image.tobytes(), label) for part in parts for image, label in zip(*part))

    parts = (left.train_images, left.train_labels), (left.test_images, left.test_labels)
    assert pairs(*parts) == pairs((digits.train_images, digits.train_labels))
    again = digits.hold_out(count)
    np.testing.assert_array_equal(again.test_images, left.test_images)
    if count > 100:  # of all classes, not the first images
        assert set(left.test_labels) == set(range(10))
        assert (left.test_images != digits.train_images[:count]).any()


@pytest.mark.parametrize("count", [1, 10, 25, 500, 1437])
def test_a_subset_has_of_each_class_equally_many(digits, count):
    part = digits.subset(count, seed=3)
    assert len(part.train_images) == len(part.train_labels) == count
    available = np.bincount(digits.train_labels)
    found = np.bincount(part.train_labels, minlength=10)
    full = found == available
    assert full.all() or np.ptp(found[~full]) <= 1
    everything = {image.tobytes() for image in digits.train_images}
    assert all(image.tobytes() in everything for image in part.train_images)
    np.testing.assert_array_equal(part.test_images, digits.test_images)


def test_subsets_are_nested_and_depend_on_the_seed(digits):
    small, large, other = (
        {image.tobytes() for image in digits.subset(count, seed).train_images}
        for count, seed in ((50, 0), (200, 0), (50, 1))
    )
    assert small < large and small != other


def test_order_depends_on_the_seed_alone(numbered):
    first, again, other = (take(numbered.training_batches(6, seed), 8) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).any()


def test_flips_mirror_half_of_the_images(numbered):
    images, labels = take(numbered.training_batches(6, seed=3), 400)
    originals = numbered.train_images[labels]
    mirrored = (images == originals[..., ::-1, :]).all(axis=(2, 3, 4))
    kept = (images == originals).all(axis=(2, 3, 4))
    assert (mirrored ^ kept).all()
    # Fair coins, within 5 standard deviations: in all, at each place of the batch, for each image,
    # and beside the coin of the next image and of the next step.
    coins = [
        mirrored,
        *mirrored.T,
        *(mirrored[labels == label] for label in range(COUNT)),
        mirrored[:, 1:] == mirrored[:, :-1],
        mirrored[1:] == mirrored[:-1],
    ]
    assert all(abs(coin.mean() - 0.5) < 5 * 0.5 / coin.size**0.5 for coin in coins)


@pytest.mark.parametrize(
    ("keeps_label", "flip", "flipped"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_flips_only_where_the_label_stays(numbered, keeps_label, flip, flipped):
    arrays = numbered.train_images, numbered.train_labels
    subject = data.Dataset("subject", *arrays, *arrays, ("a",), keeps_label)
    images, labels = take(subject.training_batches(6, seed=0, flip=flip), 8)
    assert (images != numbered.train_images[labels]).any() == flipped


@pytest.mark.parametrize("flip", [True, False])
def test_batches_are_static_and_endless(numbered, flip):
    batches = numbered.training_batches(5, seed=0, flip=flip)
    images, labels = batches.element_spec
    assert (images.shape, images.dtype) == ((5, *SHAPE), tf.uint8)
    assert (labels.shape, labels.dtype) == ((5,), tf.int32)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 25}, "batch_size of data set 'numbered' .* 24], got 25"),
        ({"batch_size": 0}, r"batch_size .* must be in \[1, 24\], got 0"),
        ({"batch_size": 5, "seed": -1}, "seed must be in .*, got -1"),
        ({"batch_size": 5, "first_step": -1}, "first_step must be at least 0, got -1"),
    ],
)
def test_refuses_numbers_out_of_range(numbered, arguments, message):
    with pytest.raises(ValueError, match=message):
        numbered.training_batches(**{"seed": 0, **arguments})


# Sets of TFDS.


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


def test_tfds_set_of_more_than_one_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_READ_BATCH", 3)
    store(tmp_path, train=examples(7), test=examples(3))
    np.testing.assert_array_equal(data.get("tiny", tmp_path).train_images, pixels(7))


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


@pytest.mark.parametrize(
    "splits",
    [
        {"train": examples(7)},
        {"test": examples(4)},
        {"train": examples(7), "test": examples(4, label=-1)},
    ],
)
def test_refuses_a_set_without_the_splits(tmp_path, splits):
    store(tmp_path, **splits)
    message = message_of("tiny", tmp_path)
    assert "'tiny' must have a split train and a labelled split test or validation" in message
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
    [(lambda file: file[:-20], "truncated"), (lambda file: b"", "expected to contain 7 elements")],
)
def test_refuses_damaged_files(tmp_path, damage, message):
    builder = store(tmp_path, train=examples(7), test=examples(4))
    (file,) = builder.data_path.glob("*train*record*")
    file.write_bytes(damage(file.read_bytes()))
    found = message_of("tiny", tmp_path)
    assert found.startswith(f"data set 'tiny' in {builder.data_dir} cannot be read: ")
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
    assert message_of("digits", None, size) == f"image_size must be at least 1, got {size}."


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


@pytest.mark.slow
def test_import_leaves_tfds_alone():
    script = "import sys, spatial_keras.data; sys.exit('tensorflow_datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
