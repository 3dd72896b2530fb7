"""Records of TensorFlow Datasets, read in any order from the files that hold them."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.data.images_on_disk import ImagesOnDisk, Reader, stream_options
from spatial_keras.data.sizing import Sizing
from spatial_keras.support import files

# What a file has around a record, in bytes: its length and two checksums.
_AROUND = 16
_FILES_AT_A_TIME, _READ_BATCH = 8, 1024


def read(builder: Any, split: str, sizing: Sizing) -> tuple[ImagesOnDisk, np.ndarray]:
    """Returns the images of a split, unread, and their labels, in the order of its files.

    The first time all records are read once, which finds damaged ones, and where each begins is
    noted in a file beside them.

    Args:
      builder: the tfds.core.DatasetBuilder of a set on disk.
      split: its split.
      sizing: brings images to one size.

    Raises:
      ValueError: the set is not of TFRecord files.
      tf.errors.OpError: a file cannot be read.
    """
    kind = builder.info.file_format.value
    if kind != "tfrecord":
        raise ValueError(
            f"data set '{builder.name}' is of {kind} files: only tfrecord can be read from disk."
        )
    paths = [str(path) for path in builder.info.splits[split].filepaths]
    cache = pathlib.Path(builder.data_path, f".spatial_keras-{split}.npz")
    index = _index(paths, builder.info.features, cache)
    reader = RecordReader(paths, index, builder.info.features, sizing)
    return ImagesOnDisk(reader, np.arange(len(index["labels"]))), index["labels"]


def _index(paths: list[str], features: Any, cache: pathlib.Path) -> dict[str, np.ndarray]:
    """Where each record lies, and its label, from the file `cache` if that is of these files."""
    sizes = np.array([tf.io.gfile.stat(path).length for path in paths])
    with contextlib.suppress(Exception):  # whatever a damaged or missing file raises
        with np.load(cache) as arrays:
            if np.array_equal(arrays["sizes"], sizes):
                return dict(arrays)
    found = {**_scan(paths, features), "sizes": sizes}
    with contextlib.suppress(OSError):  # a folder of others
        files.write_arrays(cache, **found)
    return found


def _scan(paths: list[str], features: Any) -> dict[str, np.ndarray]:
    """Reads all records: of each its file, offset, length and label, sorted."""

    def file_records(number: tf.Tensor, path: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path)
        return records.map(
            lambda record: (
                number,
                tf.cast(tf.strings.length(record), tf.int64),
                _only("label", features, record),
            )
        )

    numbered = tf.data.Dataset.from_tensor_slices((np.arange(len(paths)), paths))
    together = min(_FILES_AT_A_TIME, len(paths))
    records = numbered.interleave(file_records, together, num_parallel_calls=together)
    batches = records.batch(_READ_BATCH).with_options(stream_options())
    parts = list(batches.as_numpy_iterator())
    numbers, lengths, labels = (np.concatenate(column) for column in zip(*parts))
    order = np.argsort(numbers, kind="stable")
    numbers, lengths, labels = numbers[order], lengths[order], labels[order]
    ends = np.cumsum(lengths + _AROUND)
    firsts = np.searchsorted(numbers, np.arange(len(paths)))  # of each file
    starts = ends - lengths - _AROUND
    offsets = starts - starts[firsts[numbers]]
    return {
        "files": numbers, "offsets": offsets, "lengths": lengths, "labels": labels.astype(np.int32)
    }  # fmt: skip


def _only(name: str, features: Any, record: tf.Tensor) -> tf.Tensor:
    """One feature of a record; the others are not decoded."""
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict({name: features[name]}).deserialize_example(record)[name]


def image_shape(features: Any, sizing: Sizing) -> tuple[int, int, int]:
    """Returns the shape of an image of a set with these features, (height, width, channels)."""
    height, width, channels = features["image"].shape
    if sizing.size is not None:
        height = width = sizing.size
    return height, width, channels


class RecordReader(Reader):
    """Reads the images of records.

    Args:
      paths: the files.
      index: of each record its file, a number, its offset in bytes and its length, arrays [n].
      features: of the data set.
      sizing: brings images to one size.
    """

    def __init__(
        self, paths: list[str], index: dict[str, np.ndarray], features: Any, sizing: Sizing
    ) -> None:
        with tf.device("CPU"):
            self._paths = tf.constant(paths)
            columns = (tf.constant(index[name]) for name in ("files", "offsets", "lengths"))
            self._files, self._offsets, self._lengths = columns
        self._features, self._sizing = features, sizing
        self.shape = image_shape(features, sizing)

    def read(self, number: tf.Tensor) -> tf.Tensor:
        """Returns an image; see `Reader`."""
        records = tf.raw_ops.TFRecordDatasetV2(
            filenames=self._paths[self._files[number]][tf.newaxis],
            compression_type="",
            buffer_size=self._lengths[number] + _AROUND,
            byte_offsets=self._offsets[number][tf.newaxis],
        )
        records = tf.data.experimental.from_variant(records, tf.TensorSpec([], tf.string))
        record = records.take(1).get_single_element()
        return self._sizing(_only("image", self._features, record))

    def describe(self, number: int) -> str:
        """Returns where an image lies; see `Reader`."""
        path, offset = self._paths[self._files[number]].numpy().decode(), self._offsets[number]
        return f"the image at byte {offset} of '{path}'"
