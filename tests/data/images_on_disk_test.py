"""Images on disk are an array of which parts are read, and give the batches of those in memory."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import data
from spatial_keras.data import dataset, images_on_disk
from spatial_keras.data.images_on_disk import ImagesOnDisk

COUNT, SHAPE = 23, (4, 6, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)
LABELS = (np.arange(COUNT) % 3).astype(np.int32)


class Counting(images_on_disk.Reader):
    """Gives the pixels, and notes which were asked for; the damaged one fails."""

    shape = SHAPE

    def __init__(self, damaged=None, small=None):
        self.read_numbers = []
        self._damaged, self._small = damaged, small

    def read(self, number):
        image = tf.numpy_function(self._pixels, [number], tf.uint8)
        return tf.ensure_shape(image, [None, None, 3])

    def _pixels(self, number):
        self.read_numbers.append(int(number))
        if number == self._damaged:
            raise OSError("no such\nsector")
        return PIXELS[number][: 2 if number == self._small else None]

    def describe(self, number):
        return f"image {number}"


def on_disk(**faults):
    reader = Counting(**faults)
    return reader, ImagesOnDisk(reader, np.arange(COUNT))


def test_it_is_an_array_of_which_nothing_is_read_before_it_is_asked_for():
    reader, images = on_disk()
    assert (len(images), images.shape, images.ndim, images.dtype) == (COUNT, (23, 4, 6, 3), 4, "u1")
    some = images[np.array([5, 3, 20])][:2]
    assert some.shape == (2, *SHAPE) and reader.read_numbers == []
    np.testing.assert_array_equal(np.asarray(some), PIXELS[[5, 3]])
    assert sorted(reader.read_numbers) == [3, 5]
    np.testing.assert_array_equal(images[7], PIXELS[7])
    np.testing.assert_array_equal(images[LABELS == 1], PIXELS[LABELS == 1])
    np.testing.assert_array_equal(np.asarray(images, np.float32), PIXELS.astype(np.float32))


def sets(change):
    """The same set in memory and on disk."""
    names = ("a", "b", "c")
    for images in (PIXELS, on_disk()[1]):
        yield change(data.Dataset("set", images, LABELS, images[:5], LABELS[:5], names, True))


@pytest.mark.parametrize(
    "change",
    [lambda one: one, lambda one: one.hold_out(7), lambda one: one.subset(14, seed=2)],
    ids=["whole", "hold_out", "subset"],
)
@pytest.mark.parametrize("first_step", [0, 9])
def test_the_batches_are_those_of_images_in_memory(change, first_step):
    memory, disk = sets(change)
    assert not isinstance(memory.train_images, ImagesOnDisk)
    assert isinstance(disk.train_images, ImagesOnDisk)
    np.testing.assert_array_equal(disk.test_images, memory.test_images)
    streams = [one.training_batches(4, 5, first_step) for one in (memory, disk)]
    assert streams[0].element_spec == streams[1].element_spec
    for (images, labels), (others, other_labels) in zip(*[s.take(13) for s in streams]):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


def test_a_stream_that_starts_late_reads_nothing_before_and_little_ahead():
    reader, images = on_disk()
    subject = data.Dataset("set", images, LABELS, images, LABELS, ("a", "b", "c"), False)
    stream = iter(subject.training_batches(4, seed=0, first_step=5 * 10**9))
    next(stream)
    # The batch, those ahead of it, those that are put together, and an image for each processor.
    batches = 1 + dataset._PREFETCHED + images_on_disk._BATCHES_AT_A_TIME
    asked = 4 * batches + images_on_disk._processors()
    time.sleep(0.5)  # what nobody asked for would be read meanwhile
    assert 4 <= len(reader.read_numbers) <= asked


def test_what_cannot_be_read_is_named():
    _, images = on_disk(damaged=11)
    message = r"^image 11 cannot be read \(no such sector\)\.$"
    with pytest.raises(ValueError, match=message):
        np.asarray(images)
    images[:11].check()
    subject = data.Dataset("set", images, LABELS, images, LABELS, ("a", "b", "c"), False)
    stream = enumerate(subject.training_batches(4, seed=0))
    with pytest.raises(tf.errors.OpError):
        for step, _ in stream:
            subject.check_batch(4, 0, step)
    with pytest.raises(ValueError, match=message):
        subject.check_batch(4, 0, step + 1)


def test_an_image_of_another_size_is_named():
    _, images = on_disk(small=2)
    with pytest.raises(ValueError, match="image 2 is of 2x6x3, the first of 4x6x3: .*--image_size"):
        np.asarray(images)


@pytest.mark.parametrize(
    ("stream", "number", "wanted"),
    [("on", 1, True), ("off", 10**9, False), ("auto", 10**9 // 300, False), ("auto", 10**8, True)],
)
def test_large_sets_stay_on_disk(stream, number, wanted):
    assert images_on_disk.are_wanted(stream, number, (10, 10, 3)) == wanted
