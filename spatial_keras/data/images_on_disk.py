"""Images that stay on disk and are read as they are asked for, in any order."""

from __future__ import annotations

import abc
import math
import os
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import tensorflow as tf

from spatial_keras.support import files

STREAMS = ("auto", "on", "off")
_READ_BATCH = 64
# One is put together while the images of the next are read.
_BATCHES_AT_A_TIME = 2
# Images of more bytes stay on disk, if nobody says otherwise.
_MOST_IN_MEMORY = 2 << 30


class Reader(abc.ABC):
    """Reads images by their numbers, all to one shape.

    Attributes:
      shape: of an image, (height, width, channels).
    """

    shape: tuple[int, ...]

    @abc.abstractmethod
    def read(self, number: tf.Tensor) -> tf.Tensor:
        """Returns an image, uint8 of `shape`; runs within tf.data, on several threads."""

    @abc.abstractmethod
    def describe(self, number: int) -> str:
        """Returns where an image lies, for messages, such as "image 'cats/1.jpg'"."""


class ImagesOnDisk:
    """Images on disk as an array, uint8 [n, height, width, channels], of which parts are read.

    A slice or an array of row numbers gives those rows, unread; an integer gives one image. What
    takes arrays reads all of it: `np.asarray(images[:100])` holds a hundred images.

    Args:
      reader: reads them.
      numbers: which images of the reader the rows are, integer [n].
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, reader: Reader, numbers: np.ndarray) -> None:
        self._reader, self._numbers = reader, np.asarray(numbers, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array: (n, height, width, channels)."""
        return len(self), *self._reader.shape

    @overload
    def __getitem__(self, rows: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, rows: slice | np.ndarray) -> ImagesOnDisk: ...

    def __getitem__(self, rows: int | slice | np.ndarray) -> ImagesOnDisk | np.ndarray:
        numbers = self._numbers[rows]
        if np.ndim(numbers):
            return ImagesOnDisk(self._reader, numbers)
        return np.asarray(ImagesOnDisk(self._reader, numbers[None]))[0]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        images = np.empty(self.shape, self.dtype)
        for some, numbers in self._all():
            images[numbers] = some
        return images if dtype is None else images.astype(dtype)

    def look_through(self) -> None:
        """Reads all images, on all processors, and keeps none.

        Raises:
          ValueError: one cannot be read; which, and why, in one line.
        """
        for _ in self._all():
            pass

    def _all(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rows = tf.data.Dataset.range(len(self)).batch(_READ_BATCH)
        try:
            yield from self.batches(rows).as_numpy_iterator()
        except tf.errors.OpError:
            self.check()
            raise

    def batches(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Reads batches.

        Args:
          rows: gives row numbers, integer [batch].

        Returns:
          Pairs of images, uint8 [batch, height, width, channels], and their row numbers.
        """
        with tf.device("CPU"):
            numbers = tf.constant(self._numbers)
        (batch_size,) = rows.element_spec.shape

        def read(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.ensure_shape(self._reader.read(numbers[row]), self._reader.shape), row

        images = rows.unbatch().map(read, num_parallel_calls=_processors(), deterministic=True)
        batches = images.batch(
            batch_size or _READ_BATCH,
            drop_remainder=batch_size is not None,
            num_parallel_calls=_BATCHES_AT_A_TIME,
            deterministic=True,
        )
        return batches.with_options(stream_options())

    def check(self) -> None:
        """Reads all images one after the other.

        Raises:
          files.ReadError: one cannot be read; which, and why, in one line.
        """
        for number in self._numbers:
            try:
                image = self._reader.read(tf.constant(number))
            except Exception as error:  # of TensorFlow, or of Python within it
                raise files.ReadError(
                    f"{self._reader.describe(number)} cannot be read ({files.one_line(error)})."
                ) from error
            if image.shape != self._reader.shape:
                found, wanted = ("x".join(map(str, x)) for x in (image.shape, self._reader.shape))
                raise files.ReadError(
                    f"{self._reader.describe(number)} is of {found}, the first of {wanted}: give "
                    "one size (--image_size)."
                )


def are_wanted(stream: str, number: int, shape: Sequence[int]) -> bool:
    """Returns whether images are to stay on disk.

    Args:
      stream: "on", "off", or "auto".
      number: how many there are.
      shape: of one, (height, width, channels).
    """
    return stream == "on" or (stream == "auto" and number * math.prod(shape) > _MOST_IN_MEMORY)


def stream_options() -> tf.data.Options:
    """Returns the options of every stream."""
    options = tf.data.Options()
    # In TensorFlow 2.15 the autotuner's thread sleeps for up to a minute, and the end of `fit`
    # waits for it. There is nothing to tune here.
    options.autotune.enabled = False
    # A map that is fused with the batch after it makes up to 16 batches ahead, beside those that
    # the stream asks for: of 256 images of 224x224 that is 600 MB.
    options.experimental_optimization.map_and_batch_fusion = False
    return options


def _processors() -> int:
    """How many images are decoded at a time."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
