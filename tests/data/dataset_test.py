"""Held-out images, subsets, and the stream of training batches."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import data

COUNT, SHAPE = 24, (4, 6, 3)


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


@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_of_a_batch_are_its_rows(numbered, parts):
    whole = take(numbered.training_batches(6, 1, 2, True), 5)
    found = [take(numbered.training_batches(6, 1, 2, True, (i, parts)), 5) for i in range(parts)]
    for expected, *several in zip(whole, *found):
        assert several[0].shape[1] == 6 // parts
        np.testing.assert_array_equal(np.concatenate(several, axis=1), expected)


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


def test_the_end_of_a_stream_waits_for_no_autotuner(numbered):
    assert numbered.training_batches(6, seed=0).options().autotune.enabled is False


def test_flips_depend_on_the_seed(numbered):
    mirrored = []
    for seed in (0, 1):
        images, labels = take(numbered.training_batches(24, seed), 1)
        by_label = images[0][np.argsort(labels[0])]
        mirrored.append((by_label != numbered.train_images).any(axis=(1, 2, 3)))
    assert 0 < np.sum(mirrored[0] != mirrored[1]) < COUNT


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


def test_digits_are_never_flipped(digits):
    images, labels = take(digits.training_batches(479, seed=0), 3)
    order = np.lexsort(images.reshape(1437, -1).T)
    expected = np.lexsort(digits.train_images.reshape(1437, -1).T)
    np.testing.assert_array_equal(
        images.reshape(digits.train_images.shape)[order], digits.train_images[expected]
    )
