"""Image classification sets of TensorFlow Datasets."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from typing import NamedTuple
from urllib import parse

import numpy as np

from spatial_keras.data import images_on_disk, tfds_records, tfds_safety
from spatial_keras.data.dataset import Dataset, hold_out_by_class
from spatial_keras.data.images_on_disk import ImagesOnDisk
from spatial_keras.data.sizing import Sizing
from spatial_keras.data.tfds_records import RecordReader
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
    names = tuple(map(files.presentable, builder.info.features["label"].names))
    with _failures_named(name, builder):
        readers = _readers(builder, sizing)
    _check_splits(name, builder, readers, test_fraction)
    with _failures_named(name, builder):
        labels = {split: reader.labels() for split, reader in readers.items()}
    number = sum(map(len, labels.values()))
    shape = tfds_records.image_shape(builder.info.features, sizing)
    on_disk = images_on_disk.are_wanted(stream, number, shape)
    parts = {}
    for split, reader in readers.items():
        _check_labels(name, split, labels[split], names)
        images = ImagesOnDisk(reader, np.arange(len(labels[split])))
        held = images if on_disk else np.asarray(images)
        parts[split] = _Part(held, labels[split], reader.names)
    train, test = _train_and_test(parts, names, test_fraction)
    return Dataset(
        name,
        *train[:2],
        *test[:2],
        class_names=names,
        flip_keeps_label=builder.name in _FLIPPABLE,
        train_names=train.names,
        test_names=test.names,
    )


class _Part(NamedTuple):
    """Images with their labels and names."""

    images: np.ndarray | ImagesOnDisk
    labels: np.ndarray
    names: np.ndarray

    def of(self, rows: np.ndarray | slice) -> _Part:
        return _Part(self.images[rows], self.labels[rows], self.names[rows])


def _train_and_test(
    parts: dict[str, _Part], names: tuple[str, ...], test_fraction: float | None
) -> tuple[_Part, _Part]:
    """Returns what to train and to test on; there may be nothing of the former."""
    if test_fraction is not None:
        is_test = hold_out_by_class(parts["train"].labels, names, test_fraction, seed=0)
        return parts["train"].of(~is_test), parts["train"].of(is_test)
    test = list(parts.values())[-1]
    return parts.get("train", test.of(slice(0))), test


def _failures_named(name: str, builder) -> contextlib.AbstractContextManager:
    return files.failures_in_one_line(f"data set '{name}' in {builder.data_dir} cannot be read")


def _readers(builder, sizing: Sizing) -> dict[str, RecordReader]:
    """Of the split to train and of that to test on, of those that there are."""
    there = builder.info.splits
    readers = {"train": RecordReader(builder, "train", sizing)} if "train" in there else {}
    for split in ("test", "validation"):
        if split in there:
            reader = RecordReader(builder, split, sizing)
            if reader.label(0) >= 0:  # some sets keep the labels of their split `test` secret
                return {**readers, split: reader}
    return readers


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


def _check_splits(
    name: str, builder, readers: Collection[str], test_fraction: float | None
) -> None:
    """Raises ValueError if there is nothing to test on, or more than one thing."""
    has_test = bool({*readers} - {"train"})
    if not readers:
        raise ValueError(
            f"data set '{name}' must have a split train or a labelled split test or validation, it "
            f"has {', '.join(builder.info.splits)}."
        )
    if not has_test and test_fraction is None:
        raise ValueError(
            f"data set '{name}' has no labelled test images: give --test_fraction, e.g. 0.2."
        )
    if has_test and test_fraction is not None:
        raise ValueError(f"--test_fraction has no effect: '{name}' has test images.")


def _check_labels(name: str, split: str, labels: np.ndarray, names: tuple[str, ...]) -> None:
    bad = labels[(labels < 0) | (labels >= len(names))]
    if len(bad):
        raise ValueError(
            f"the labels of data set '{name}' are damaged: it has {len(names)} names of classes, "
            f"for 0 to {len(names) - 1}, and its split {split} has the label {bad[0]}."
        )
