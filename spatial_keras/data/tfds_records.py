"""Records of TensorFlow Datasets, read in any order from the files that hold them.

Where they lie is read from the files each time, as TensorFlow ends the process at a record that
says to be longer than memory. That also gives the checksums of all records, which tell whether the
labels that were noted beside the files are theirs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import sys
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.data.images_on_disk import Reader, stream_options
from spatial_keras.data.sizing import Sizing
from spatial_keras.support import files

# What a file has around a record, in bytes: its length and two checksums.
_LENGTH, _CHECKSUM = 8, 4
_AROUND = _LENGTH + 2 * _CHECKSUM
_READ_BATCH, _CACHE_HEADER = 1024, 1024


def _checked(path: pathlib.Path, builder: Any) -> pathlib.Path:
    """Returns the path of a file of records, which TFDS has from the set's own description."""
    kind, folder = builder.info.file_format.value, pathlib.Path(builder.data_path)
    if kind != "tfrecord":
        raise ValueError(f"it is of {kind} files, only tfrecord can be read")
    if path.parent != folder:
        raise ValueError(f"its file '{path}' is not in its folder '{folder}'")
    return files.regular(path, sys.maxsize, links=True)


def _records(path: pathlib.Path) -> np.ndarray:
    """Where the records of a file lie: offset, length and checksum of each, int64 [n, 3].

    Raises:
      ValueError: the last one does not end with the file.
    """
    size, offset, found = path.stat().st_size, 0, []
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            length = int.from_bytes(file.read(_LENGTH), "little")
            end = offset + length + _AROUND
            if end > size:
                raise ValueError(f"the record at byte {offset} of '{path}' is truncated")
            file.seek(end - _CHECKSUM)
            found.append((offset, length, int.from_bytes(file.read(_CHECKSUM), "little")))
            offset = end
    return np.array(found, np.int64).reshape(-1, 3)


def image_shape(features: Any, sizing: Sizing) -> tuple[int, int, int]:
    """Returns the shape of an image of a set with these features, (height, width, channels)."""
    height, width, channels = features["image"].shape
    if sizing.size is not None:
        height = width = sizing.size
    return height, width, channels


class RecordReader(Reader):
    """Reads the records of a split, in the order of its files.

    Args:
      builder: the tfds.core.DatasetBuilder of a set on disk.
      split: its split.
      sizing: brings images to one size.

    Attributes:
      names: the ids that TFDS gives the records, object [n].

    Raises:
      ValueError: the files are not regular TFRecord files within the set's folder, or hold another
        number of records than the set says.
    """

    def __init__(self, builder: Any, split: str, sizing: Sizing) -> None:
        info = builder.info.splits[split]
        paths = [_checked(pathlib.Path(path), builder) for path in info.filepaths]
        with futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(_records, paths))
        counts = [len(each) for each in found]
        if sum(counts) != info.num_examples:
            raise ValueError(
                f"its split {split} says to have {info.num_examples} images, and has {sum(counts)}"
            )
        records = np.concatenate(found)
        self._contents = hashlib.sha256(records.tobytes()).hexdigest()
        self._cache = pathlib.Path(builder.data_path, f".spatial_keras-{split}.npz")
        with tf.device("CPU"):
            self._paths = tf.constant([os.fsencode(path) for path in paths])
            self._files = tf.constant(np.repeat(np.arange(len(paths)), counts))
            self._offsets, self._lengths = tf.constant(records[:, 0]), tf.constant(records[:, 1])
        self._features, self._sizing = builder.info.features, sizing
        self.shape = image_shape(self._features, sizing)
        ids = [f"{path.name}__{row}" for path, count in zip(paths, counts) for row in range(count)]
        self.names = np.array(ids, object)

    def labels(self) -> np.ndarray:
        """Returns the labels of all records, int32 [n].

        The first time all records are read once, which finds damaged ones, and the labels are noted
        in a file beside them.

        Raises:
          tf.errors.OpError: a record cannot be read.
        """
        with contextlib.suppress(Exception):  # whatever a damaged or missing file raises
            kept = files.read_arrays(self._cache, _CACHE_HEADER + 4 * len(self.names))
            if kept["contents"] == self._contents and kept["labels"].shape == self.names.shape:
                return kept["labels"].astype(np.int32)
        numbers = tf.data.Dataset.range(len(self.names))
        labels = numbers.map(self.label, num_parallel_calls=os.cpu_count(), deterministic=True)
        batches = labels.batch(_READ_BATCH).with_options(stream_options())
        found = np.concatenate([np.zeros(0), *batches.as_numpy_iterator()]).astype(np.int32)
        with contextlib.suppress(OSError):  # a folder of others
            files.write_arrays(self._cache, contents=np.array(self._contents), labels=found)
        return found

    def read(self, number: tf.Tensor) -> tf.Tensor:
        """Returns an image; see `Reader`."""
        return self._sizing(self._feature("image", number))

    def label(self, number: tf.Tensor) -> tf.Tensor:
        """Returns the label of an image, an integer."""
        return self._feature("label", number)

    def _feature(self, name: str, number: tf.Tensor) -> tf.Tensor:
        """One feature of a record; the others are not decoded."""
        import tensorflow_datasets as tfds

        records = tf.raw_ops.TFRecordDatasetV2(
            filenames=self._paths[self._files[number]][tf.newaxis],
            compression_type="",
            buffer_size=self._lengths[number] + _AROUND,
            byte_offsets=self._offsets[number][tf.newaxis],
        )
        records = tf.data.experimental.from_variant(records, tf.TensorSpec([], tf.string))
        record = records.take(1).get_single_element()
        only = tfds.features.FeaturesDict({name: self._features[name]})
        return only.deserialize_example(record)[name]

    def describe(self, number: int) -> str:
        """Returns where an image lies; see `Reader`."""
        path, offset = self._paths[self._files[number]].numpy().decode(), self._offsets[number]
        return f"the image at byte {offset} of '{path}'"
