"""Image classification sets of TensorFlow Datasets."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from urllib import parse

import numpy as np
import tensorflow as tf

from spatial_keras.data import images_on_disk, tfds_records, tfds_safety
from spatial_keras.data.dataset import Dataset, hold_out_by_class
from spatial_keras.data.sizing import Sizing
from spatial_keras.support import files, validation

# TFDS sets of photographs, in which an image and its mirror image show the same class. No other
# set is flipped: mirrored digits and letters are different ones, or none.
_FLIPPABLE = frozenset(
    "beans caltech101 caltech_birds2011 cars196 cassava cifar10 cifar100 dtd fashion_mnist food101"
    " horses_or_humans imagenet2012 imagenet2012_subset imagenet_lt imagenet_resized imagenette"
    " imagewang oxford_flowers102 oxford_iiit_pet patch_camelyon places365_small"
    " rock_paper_scissors stanford_dogs stl10 sun397".split()
)

_PROBE_SECONDS = 5
_READ_BATCH = 512


class DataNotFoundError(ValueError):
    """The data set is not on disk and could not be fetched."""


def load(
    name: str, data_dir: str | None, sizing: Sizing, stream: str, test_fraction: float | None = None
) -> Dataset:
    """Returns a set by name; see `data.get`."""
    builder = _builder(name, data_dir)
    _check_features(name, builder.info.features, sizing.size)
    # Asked about a folder that does not exist, is_prepared() logs a warning.
    if not (builder.data_path.exists() and builder.is_prepared()):
        _fetch(name, builder, data_dir)
    names = tuple(builder.info.features["label"].names)
    try:
        splits = _splits(name, builder, test_fraction)
        number = sum(builder.info.splits[split].num_examples for split in splits)
        shape = tfds_records.image_shape(builder.info.features, sizing)
        on_disk = images_on_disk.are_wanted(stream, number, shape)
        read = tfds_records.read if on_disk else _read
        parts = {split: read(builder, split, sizing) for split in splits}
    except tf.errors.OpError as error:
        raise ValueError(
            f"data set '{name}' in {builder.data_dir} cannot be read: {files.one_line(error)}"
        ) from error
    for split, (_, labels) in parts.items():
        _check_labels(name, split, labels, names)
    train, test = _train_and_test(parts, names, test_fraction)
    return Dataset(name, *train, *test, names, flip_keeps_label=builder.name in _FLIPPABLE)


def _train_and_test(
    parts: dict[str, tuple[Any, np.ndarray]], names: tuple[str, ...], test_fraction: float | None
) -> tuple[tuple[Any, np.ndarray], tuple[Any, np.ndarray]]:
    """Returns images and labels to train and to test on; there may be none of the former."""
    if test_fraction is not None:
        images, labels = parts["train"]
        is_test = hold_out_by_class(labels, names, test_fraction, seed=0)
        return (images[~is_test], labels[~is_test]), (images[is_test], labels[is_test])
    images, labels = test = list(parts.values())[-1]
    return parts.get("train", (images[:0], labels[:0])), test


def _builder(name: str, data_dir: str | None):
    """The tfds.core.DatasetBuilder of a set: of any version on disk, else of the newest."""
    import tensorflow_datasets as tfds

    parts = re.fullmatch(r"(\w+)(/[\w.-]+)?(:[\d.*]+)?", name)
    try:
        if not parts:
            raise tfds.core.DatasetNotFoundError(name)
        tfds_safety.check(parts[1], data_dir)
        return tfds.builder(name if parts[3] else f"{name}:*.*.*", data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        names = ["digits", *sorted(_FLIPPABLE), *tfds.list_builders()]
        raise ValueError(validation.unknown_name("data set", name, names)) from None
    except Exception as error:
        raise ValueError(f"data set '{name}' cannot be read: {files.one_line(error)}") from error


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
            f" ({files.one_line(error)}); on a machine with network, run: python -c"
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


def _splits(name: str, builder, test_fraction: float | None) -> list[str]:
    """Returns the splits to read: those to train and to test on, of those that there are."""
    train = ["train"] if "train" in builder.info.splits else []
    test = _test_split(builder)
    if test is None and not train:
        raise ValueError(
            f"data set '{name}' must have a split train or a labelled split test or validation, it "
            f"has {', '.join(builder.info.splits)}."
        )
    if test is None and test_fraction is None:
        raise ValueError(
            f"data set '{name}' has no labelled test images: give --test_fraction, e.g. 0.2."
        )
    if test is not None and test_fraction is not None:
        raise ValueError(f"--test_fraction has no effect: '{name}' has test images.")
    return train if test is None else [*train, test]


def _test_split(builder) -> str | None:
    """The split to test on; some sets keep the labels of their split `test` secret, as -1."""
    for split in ("test", "validation"):
        if split in builder.info.splits:
            first = builder.as_dataset(split=f"{split}[:1]").get_single_element()
            if first["label"] >= 0:
                return split
    return None


def _read(builder, split: str, sizing: Sizing) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of a split, in the order of its files."""
    import tensorflow_datasets as tfds

    def image_and_label(example: dict) -> tuple[tf.Tensor, tf.Tensor]:
        return sizing(example["image"]), example["label"]

    config = tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1)
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


def _check_labels(name: str, split: str, labels: np.ndarray, names: tuple[str, ...]) -> None:
    bad = labels[(labels < 0) | (labels >= len(names))]
    if len(bad):
        raise ValueError(
            f"the labels of data set '{name}' are damaged: it has {len(names)} names of classes, "
            f"for 0 to {len(names) - 1}, and its split {split} has the label {bad[0]}."
        )
