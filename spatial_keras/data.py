"""Image classification sets in memory, by name, and the batches a network is trained on.

A set is "digits", which scikit-learn ships, or any image classification set of TensorFlow
Datasets. Pixels stay what they are, uint8 grey levels from 0 to 255. The batches depend on the
seed and the step alone, so a run that stopped goes on with the ones it has not seen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import textwrap
from urllib import parse

import numpy as np
import tensorflow as tf

from spatial_keras import validation

# TFDS sets of photographs, in which an image and its mirror image show the same class. No other
# set is flipped: mirrored digits and letters are different ones, or none.
_FLIPPABLE = frozenset(
    "beans caltech101 caltech_birds2011 cars196 cassava cifar10 cifar100 dtd fashion_mnist food101"
    " horses_or_humans imagenet2012 imagenet2012_subset imagenet_lt imagenet_resized imagenette"
    " imagewang oxford_flowers102 oxford_iiit_pet patch_camelyon places365_small"
    " rock_paper_scissors stanford_dogs stl10 sun397".split()
)

# Places in the seed of an epoch or a step, far from the replica numbers that the model puts there.
_ORDER, _FLIPS = 1 << 20, 1 << 21

_PROBE_SECONDS = 5
_READ_BATCH = 512


class DataNotFoundError(ValueError):
    """The data set is not on disk and could not be fetched."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """An image classification set in memory.

    Attributes:
      name: the name it was found by.
      train_images: uint8 [n, height, width, channels], grey levels 0 to 255.
      train_labels: int32 [n], from 0 to `num_classes` - 1.
      test_images: uint8 [m, height, width, channels], as the training images.
      test_labels: int32 [m].
      class_names: the name of each class.
      flip_keeps_label: whether an image and its mirror image are of the same class.
    """

    name: str
    train_images: np.ndarray = dataclasses.field(repr=False)
    train_labels: np.ndarray = dataclasses.field(repr=False)
    test_images: np.ndarray = dataclasses.field(repr=False)
    test_labels: np.ndarray = dataclasses.field(repr=False)
    class_names: tuple[str, ...]
    flip_keeps_label: bool

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of one image: (height, width, channels)."""
        return self.train_images.shape[1:]

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
        return dataclasses.replace(
            self,
            train_images=self.train_images[kept],
            train_labels=self.train_labels[kept],
            test_images=self.train_images[held_out],
            test_labels=self.train_labels[held_out],
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
        return dataclasses.replace(
            self, train_images=self.train_images[rows], train_labels=self.train_labels[rows]
        )

    def training_batches(
        self, batch_size: int, seed: int, first_step: int = 0, flip: bool | None = None
    ) -> tf.data.Dataset:
        """Returns the endless stream of shuffled training batches, from `first_step` on.

        Every epoch is a permutation of the training images keyed on (seed, epoch), cut into full
        batches; the rest, less than one batch, sits that epoch out. Left-right flips are keyed on
        (seed, step). So the stream from step n is the stream from step 0 without its first n
        batches, and no batch is made that is not asked for.

        Args:
          batch_size: images per batch, at most the number of training images.
          seed: from 0 to 2**31 - 1.
          first_step: the step of the first batch.
          flip: whether to mirror a random half; None does so where that keeps the label.

        Returns:
          Pairs of images, uint8 [batch_size, height, width, channels], and labels, int32
          [batch_size].

        Raises:
          ValueError: a number is outside its range.
        """
        count = len(self.train_labels)
        validation.check_integer(f"batch_size of data set '{self.name}'", batch_size, 1, count)
        validation.check_integer("seed", seed, 0, 2**31 - 1)
        validation.check_integer("first_step", first_step, 0)
        steps_per_epoch = count // batch_size
        flip = self.flip_keeps_label if flip is None else flip
        images, labels = self._train_tensors

        def epoch_rows(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.random.experimental.stateless_shuffle(
                tf.range(count), _key(seed, epoch, _ORDER), alg="philox"
            )
            used = order[: steps_per_epoch * batch_size]
            return tf.data.Dataset.from_tensor_slices(tf.reshape(used, [-1, batch_size]))

        def batch(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = tf.gather(images, rows)
            if flip:
                chosen = _flip_half(chosen, _key(seed, step, _FLIPS))
            return chosen, tf.gather(labels, rows)

        first_epoch, passed = divmod(first_step, steps_per_epoch)
        rows = tf.data.Dataset.counter(first_epoch).flat_map(epoch_rows).skip(passed)
        steps = tf.data.Dataset.counter(first_step)
        batches = tf.data.Dataset.zip((steps, rows)).map(batch).prefetch(tf.data.AUTOTUNE)
        return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    @functools.cached_property
    def _train_tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """One copy for all streams, in host memory, where tf.data gathers."""
        with tf.device("CPU"):
            return tf.constant(self.train_images), tf.constant(self.train_labels)


def get(name: str, data_dir: str | None = None, image_size: int | None = None) -> Dataset:
    """Returns an image classification set by name.

    Args:
      name: "digits", or a TFDS set such as "cifar10" with, if need be, its configuration
        ("emnist/letters") and version ("cifar10:3.0.2"). It must have the features `image` (uint8)
        and `label` (a class), a split `train`, and a labelled split `test` or `validation`.
      data_dir: folder of the TFDS sets; None is the default of TFDS. A set that is not there is
        fetched into it.
      image_size: height and width to resize all images to; None leaves them as they are, digits at
        32. Needed for sets whose images differ in size.

    Raises:
      ValueError: there is no such set, or it is not of this kind, or cannot be read.
      DataNotFoundError: it is not on disk and could not be fetched.
    """
    if image_size is not None:
        validation.check_integer("image_size", image_size, 1)
    if name == "digits":
        return _digits(image_size or 32)
    return _from_tfds(name, data_dir, image_size)


def _key(seed: int, index: tf.Tensor, place: int) -> tf.Tensor:
    pair = tf.stack([tf.constant(seed, tf.int64), index])
    return tf.random.experimental.stateless_fold_in(pair, place, alg="philox")


def _flip_half(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    batch_size, _, width, _ = images.shape
    coins = tf.random.stateless_uniform([batch_size, 1], key, 0, 2, dtype=tf.int32, alg="philox")
    columns = tf.range(width)
    return tf.gather(images, tf.where(coins == 1, columns[::-1], columns), axis=2, batch_dims=1)


def _resize(images: tf.Tensor, size: int) -> tf.Tensor:
    return tf.cast(tf.round(tf.image.resize(images, [size, size], antialias=True)), tf.uint8)


def _digits(size: int) -> Dataset:
    """The 8x8 digits of scikit-learn; of those sorted by class, every fifth is for testing."""
    from sklearn import datasets

    digits = datasets.load_digits()
    images = _resize(digits.images[..., np.newaxis] * (255 / 16), size).numpy()
    labels = digits.target.astype(np.int32)
    is_test = np.zeros(len(labels), bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    train, test = ((images[rows], labels[rows]) for rows in (~is_test, is_test))
    names = tuple(str(digit) for digit in digits.target_names)
    return Dataset("digits", *train, *test, names, flip_keeps_label=False)


def _from_tfds(name: str, data_dir: str | None, image_size: int | None) -> Dataset:
    builder = _builder(name, data_dir)
    _check_features(name, builder.info.features, image_size)
    # Asked about a folder that does not exist, is_prepared() logs a warning.
    if not (builder.data_path.exists() and builder.is_prepared()):
        _fetch(name, builder, data_dir)
    try:
        splits = "train", _test_split(name, builder)
        train, test = (_read(builder, split, image_size) for split in splits)
    except tf.errors.OpError as error:
        raise ValueError(
            f"data set '{name}' in {builder.data_dir} cannot be read: {_one_line(error)}"
        ) from error
    names = tuple(builder.info.features["label"].names)
    return Dataset(name, *train, *test, names, flip_keeps_label=builder.name in _FLIPPABLE)


def _builder(name: str, data_dir: str | None):
    """The tfds.core.DatasetBuilder of a set: of any version on disk, else of the newest."""
    import tensorflow_datasets as tfds

    parts = re.fullmatch(r"(\w+)(/[\w.-]+)?(:[\d.*]+)?", name)
    try:
        if not parts:
            raise tfds.core.DatasetNotFoundError(name)
        return tfds.builder(name if parts[3] else f"{name}:*.*.*", data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        names = ["digits", *sorted(_FLIPPABLE), *tfds.list_builders()]
        raise ValueError(validation.unknown_name("data set", name, names)) from None
    except Exception as error:
        raise ValueError(f"data set '{name}' cannot be read: {_one_line(error)}") from error


def _check_features(name: str, features, image_size: int | None) -> None:
    import tensorflow_datasets as tfds

    image, label = (features[key] if key in features else None for key in ("image", "label"))
    if not (
        isinstance(image, tfds.features.Image)
        and image.np_dtype == np.uint8
        and isinstance(label, tfds.features.ClassLabel)
    ):
        raise ValueError(
            f"data set '{name}' is not for image classification: it must have the features"
            f" image (uint8) and label (a class), it has {', '.join(features)}."
        )
    if None in image.shape and image_size is None:
        raise ValueError(
            f"the images of data set '{name}' differ in size: give one size (--image_size)."
        )


def _fetch(name: str, builder, data_dir: str | None) -> None:
    try:
        _check_network(builder.url_infos or ())
        builder.download_and_prepare()
    except Exception as error:
        folder = "" if data_dir is None else f", data_dir='{data_dir}'"
        raise DataNotFoundError(
            f"data set '{name}' is not on disk in {builder.data_dir} and could not be fetched"
            f" ({_one_line(error)}); on a machine with network, run: python -c"
            f" \"import tensorflow_datasets as tfds; tfds.load('{name}'{folder})\""
        ) from error


def _check_network(urls) -> None:
    """Raises OSError if no host of `urls` answers; TFDS itself retries that for minutes."""
    import requests

    hosts = sorted({"://".join(parse.urlsplit(url)[:2]) for url in urls if url.startswith("http")})
    for host in hosts:
        with contextlib.suppress(requests.RequestException):
            requests.head(host, timeout=_PROBE_SECONDS)
            return
    if hosts:
        raise OSError(f"no answer from {', '.join(hosts)}")


def _test_split(name: str, builder) -> str:
    """The split to test on; some sets keep the labels of their split `test` secret, as -1."""
    splits = builder.info.splits
    found = [split for split in ("test", "validation") if split in splits and "train" in splits]
    for split in found:
        if builder.as_dataset(split=f"{split}[:1]").get_single_element()["label"] >= 0:
            return split
    raise ValueError(
        f"data set '{name}' must have a split train and a labelled split test or validation, it has"
        f" {', '.join(splits)}."
    )


def _read(builder, split: str, image_size: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of a split, in the order of its files."""
    import tensorflow_datasets as tfds

    def image_and_label(example: dict) -> tuple[tf.Tensor, tf.Tensor]:
        image = example["image"]
        return image if image_size is None else _resize(image, image_size), example["label"]

    config = tfds.ReadConfig(try_autocache=False)
    examples = builder.as_dataset(split=split, read_config=config).map(
        image_and_label, num_parallel_calls=tf.data.AUTOTUNE
    )
    count = builder.info.splits[split].num_examples
    images = np.empty([count, *examples.element_spec[0].shape], np.uint8)
    labels = np.empty([count], np.int32)
    rows = slice(0, 0)
    for some_images, some_labels in examples.batch(_READ_BATCH).as_numpy_iterator():
        rows = slice(rows.stop, rows.stop + len(some_labels))
        images[rows], labels[rows] = some_images, some_labels
    return images, labels


def _one_line(error: Exception) -> str:
    """The message without line breaks and the names of TensorFlow's nodes and ops."""
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error))
    return textwrap.shorten(text, 200, placeholder=" ...")
