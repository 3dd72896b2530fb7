"""Images in memory or on disk, and the batches a network is trained on.

Pixels stay what they are, uint8 from 0 to 255. The batches depend on the seed and the step alone,
so a run that stopped continues with the ones it has not seen.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from spatial_keras.data.images_on_disk import ImagesOnDisk, stream_options
from spatial_keras.support import validation

# Places in the seed of an epoch or a step, far from the replica numbers that the model puts there.
_ORDER, _FLIPS = 1 << 20, 1 << 21
# Batches made ahead of the step.
_PREFETCHED = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """An image classification set.

    Attributes:
      name: the name it was found by.
      train_images: uint8 [n, height, width, channels], pixel values 0 to 255; in memory, or on
        disk, of which `np.asarray(train_images[rows])` reads a part.
      train_labels: int32 [n], from 0 to `num_classes` - 1.
      test_images: uint8 [m, height, width, channels], as the training images.
      test_labels: int32 [m].
      class_names: the name of each class.
      flip_keeps_label: whether an image and its mirror image are of the same class.
      left_out: how many damaged images there were beside these.
      train_names: what each training image is found by: its path in the folder, its id in TFDS, or
        the number of its row; object [n], or None where nobody knows.
      test_names: of each test image, object [m], or None.
      notes: what to know of the images: what was left out, which test images are training images.
    """

    name: str
    train_images: np.ndarray | ImagesOnDisk = dataclasses.field(repr=False)
    train_labels: np.ndarray = dataclasses.field(repr=False)
    test_images: np.ndarray | ImagesOnDisk = dataclasses.field(repr=False)
    test_labels: np.ndarray = dataclasses.field(repr=False)
    class_names: tuple[str, ...]
    flip_keeps_label: bool
    left_out: int = 0
    train_names: np.ndarray | None = dataclasses.field(default=None, repr=False)
    test_names: np.ndarray | None = dataclasses.field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of one image: (height, width, channels)."""
        _, height, width, channels = self.train_images.shape
        return height, width, channels

    def hold_out(self, count: int) -> Dataset:
        """Returns the set with some of the training images in place of the test images.

        Training goes without them. They are drawn at random, but always the same for a count.

        Args:
          count: how many, fewer than there are training images.

        Raises:
          ValueError: the count is outside its range.
        """
        number = len(self.train_labels)
        validation.check_integer(f"held-out images of data set '{self.name}'", count, 1, number - 1)
        rows = np.random.default_rng(0).permutation(number)
        held_out, kept = np.sort(rows[:count]), np.sort(rows[count:])
        names = self.train_names
        return dataclasses.replace(
            self._trained_on(kept),
            test_images=self.train_images[held_out],
            test_labels=self.train_labels[held_out],
            test_names=None if names is None else names[held_out],
        )

    def subset(self, count: int, seed: int = 0) -> Dataset:
        """Returns the set with some of the training images only, of each class equally many.

        They are drawn at random; those of a smaller count are among those of a larger one. Where
        the count cannot be shared out evenly, or a class has too few images, others have more.

        Args:
          count: how many, at most as many as there are training images.
          seed: of the draw.

        Raises:
          ValueError: the count is outside its range.
        """
        number = len(self.train_labels)
        validation.check_integer(f"training images of data set '{self.name}'", count, 1, number)
        order = np.random.default_rng(seed).permutation(number)
        labels = self.train_labels[order]
        place_in_class = np.empty(number, int)
        for label in range(self.num_classes):
            place_in_class[labels == label] = np.arange(np.sum(labels == label))
        rows = np.sort(order[np.argsort(place_in_class, kind="stable")[:count]])
        return self._trained_on(rows)

    def _trained_on(self, rows: np.ndarray) -> Dataset:
        """The set with these rows of the training images."""
        return dataclasses.replace(
            self,
            train_images=self.train_images[rows],
            train_labels=self.train_labels[rows],
            train_names=None if self.train_names is None else self.train_names[rows],
        )

    def training_batches(
        self,
        batch_size: int,
        seed: int,
        first_step: int = 0,
        flip: bool | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> tf.data.Dataset:
        """Returns the endless stream of shuffled training batches, from `first_step` on.

        Every epoch is a permutation of the training images keyed on (seed, epoch), cut into full
        batches; the rest, less than one batch, sits that epoch out. Left-right flips are keyed on
        (seed, step). So the stream from step n is the stream from step 0 without its first n
        batches, and no batch is made, and no image read, that is not asked for. The batches of
        images on disk are those of images in memory.

        Args:
          batch_size: images per batch, at most the number of training images.
          seed: from 0 to 2**31 - 1.
          first_step: the step of the first batch.
          flip: whether to mirror a random half; None does so where that keeps the label.
          part: (i, n): of each batch only the i-th of n equal parts, rows that follow each other;
            n divides `batch_size`. No other image is read.

        Returns:
          Pairs of images, uint8 [batch_size / n, height, width, channels], and labels, int32
          [batch_size / n].

        Raises:
          ValueError: a number is outside its range.
        """
        flip = self.flip_keeps_label if flip is None else flip
        number, parts = part
        size = batch_size // parts
        mine = slice(number * size, (number + 1) * size)
        rows = self._training_rows(batch_size, seed, first_step).map(lambda rows: rows[mine])
        with tf.device("CPU"):
            labels = tf.constant(self.train_labels)

        def finish(step: tf.Tensor, images: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
            if flip:
                coins = _coins(batch_size, _key(seed, step, _FLIPS))
                images = _flip(images, coins[mine])
            return images, tf.gather(labels, rows)

        steps = tf.data.Dataset.counter(first_step)
        batches = tf.data.Dataset.zip((steps, self._read(rows)))
        batches = batches.map(lambda step, pair: finish(step, *pair)).prefetch(_PREFETCHED)
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return batches.apply(endless).with_options(stream_options())

    def check_test_images(self, number: int | None = None) -> None:
        """Reads the test images once, where they are on disk, so that a damaged one is known early.

        Args:
          number: how many, from the first on; None for all.

        Raises:
          ValueError: one cannot be read; which, and why, in one line.
        """
        if isinstance(self.test_images, ImagesOnDisk):
            self.test_images[:number].look_through()

    def check_batch(self, batch_size: int, seed: int, step: int) -> None:
        """Reads the images of one training batch, where they are on disk.

        Raises:
          ValueError: one cannot be read; which, and why, in one line.
        """
        if isinstance(self.train_images, ImagesOnDisk):
            rows = self._training_rows(batch_size, seed, step)
            self.train_images[next(rows.as_numpy_iterator())].check()

    def _training_rows(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        """The row numbers of the images of each batch, int32 [batch_size], from a step on."""
        count = len(self.train_labels)
        validation.check_integer(f"batch_size of data set '{self.name}'", batch_size, 1, count)
        validation.check_integer("seed", seed, 0, 2**31 - 1)
        validation.check_integer("first_step", first_step, 0)
        steps_per_epoch = count // batch_size

        def epoch_rows(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.random.experimental.stateless_shuffle(
                tf.range(count), _key(seed, epoch, _ORDER), alg="philox"
            )
            used = order[: steps_per_epoch * batch_size]
            return tf.data.Dataset.from_tensor_slices(tf.reshape(used, [-1, batch_size]))

        first_epoch, passed = divmod(first_step, steps_per_epoch)
        return tf.data.Dataset.counter(first_epoch).flat_map(epoch_rows).skip(passed)

    def _read(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Pairs of the training images of batches of row numbers, and these."""
        if isinstance(self.train_images, ImagesOnDisk):
            return self.train_images.batches(rows)
        images = self._train_tensor
        return rows.map(lambda numbers: (tf.gather(images, numbers), numbers))

    @functools.cached_property
    def _train_tensor(self) -> tf.Tensor:
        """One copy for all streams, in host memory, where tf.data gathers."""
        with tf.device("CPU"):
            return tf.constant(self.train_images)


def _key(seed: int, index: tf.Tensor, place: int) -> tf.Tensor:
    pair = tf.stack([tf.constant(seed, tf.int64), index])
    return tf.random.experimental.stateless_fold_in(pair, place, alg="philox")


def _coins(number: int, key: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform([number, 1], key, 0, 2, dtype=tf.int32, alg="philox")


def _flip(images: tf.Tensor, coins: tf.Tensor) -> tf.Tensor:
    columns = tf.range(images.shape[2])
    return tf.gather(images, tf.where(coins == 1, columns[::-1], columns), axis=2, batch_dims=1)


def hold_out_by_class(
    labels: np.ndarray, class_names: Sequence[str], fraction: float, seed: int
) -> np.ndarray:
    """Chooses a share of the images of each class at random, at least one and not all of them.

    Args:
      labels: class numbers, integer [n].
      class_names: the name of each class.
      fraction: the share, in (0, 1).
      seed: of the draw.

    Returns:
      Which are chosen, bool [n].

    Raises:
      ValueError: a class has but one image.
    """
    chosen = np.zeros(len(labels), bool)
    for label, name in enumerate(class_names):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2:
            raise ValueError(f"class '{name}' has {len(rows)} images, too few to hold one out.")
        count = min(max(int(fraction * len(rows) + 0.5), 1), len(rows) - 1)
        chosen[np.random.default_rng([seed, label]).permutation(rows)[:count]] = True
    return chosen
