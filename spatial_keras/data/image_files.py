"""Files of images: their pixels, and how they are read from within tf.data."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from spatial_keras.data.images_on_disk import Reader
from spatial_keras.data.sizing import Sizing
from spatial_keras.support import files

_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "F")
# Pillow has others, EPS among them, for which it runs programs.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
# Few bytes can say to be many; a photograph has less. What resizes holds numbers for each side.
_MOST_PIXELS, _LONGEST_SIDE = 2**26, 2**15
# The marker of the segments of a JPEG that may say how it is turned. It is not among its pixels.
_MARKER = b"\xff\xe1"


def decoded(file: pathlib.Path) -> np.ndarray:
    """Returns the pixels of a file, uint8 [height, width, 1 or 3].

    Raises:
      ValueError: it cannot be read.
    """
    with files.failures_in_one_line(f"image '{file}' cannot be read"):
        return _by_pillow(file)


def _by_pillow(file: str | os.PathLike) -> np.ndarray:
    import PIL.Image
    import PIL.ImageOps

    with PIL.Image.open(file, formats=_FORMATS) as opened:
        width, height = opened.size
        if width * height > _MOST_PIXELS:
            raise ValueError(f"it has {width} x {height} pixels, more than {_MOST_PIXELS:,}")
        if max(width, height) > _LONGEST_SIDE:
            raise ValueError(
                f"it has {width} x {height} pixels, a side more than {_LONGEST_SIDE:,}"
            )
        image = PIL.ImageOps.exif_transpose(opened)
    if image.mode in _GREY_MODES:
        return _grey(np.asarray(image if image.mode != "LA" else image.convert("L")))
    return np.asarray(image.convert("RGB"))


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    elif pixels.dtype != np.uint8:  # of 16 bits; 257 * 255 = 65535
        pixels = np.round(pixels / 257).astype(np.uint8)
    return pixels[..., np.newaxis]


def is_grey(file: pathlib.Path) -> bool:
    """Returns whether an image is grey, by the beginning of its file; if that is damaged, False."""
    import PIL.Image

    try:
        with PIL.Image.open(file, formats=_FORMATS) as opened:
            return opened.mode in _GREY_MODES
    except Exception:  # whatever a damaged file raises; it is named when it is read
        return False


class FileReader(Reader):
    """Reads image files, as `decoded` does.

    Args:
      paths: the files.
      sizing: brings their images to one size.
      shape: of an image then, (height, width, channels).
    """

    def __init__(
        self, paths: Sequence[pathlib.Path], sizing: Sizing, shape: tuple[int, ...]
    ) -> None:
        with tf.device("CPU"):
            self._paths = tf.constant([os.fsencode(path) for path in paths])
        self._sizing, self.shape = sizing, shape

    def read(self, number: tf.Tensor) -> tf.Tensor:
        """Returns an image; see `Reader`."""
        image = self._sizing(_pixels(self._paths[number]))
        shape = tf.concat([tf.shape(image)[:2], self.shape[2:]], axis=0)
        return tf.broadcast_to(image, shape)  # a grey one among coloured ones

    def describe(self, number: int) -> str:
        """Returns where an image lies; see `Reader`."""
        return f"image '{os.fsdecode(self._paths[number].numpy())}'"


def _pixels(path: tf.Tensor) -> tf.Tensor:
    """The pixels of a file as `decoded` has them: of a plain JPEG without the lock of Python."""
    content = tf.io.read_file(path)

    def by_pillow() -> tf.Tensor:
        read = tf.numpy_function(_of_name, [path], tf.uint8)
        return tf.ensure_shape(read, [None, None, None])

    def by_tensorflow() -> tf.Tensor:
        # The transformation that Pillow has, to the bit.
        return tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")

    return tf.cond(_is_plain_jpeg(content), by_tensorflow, by_pillow)


def _of_name(name: bytes | np.ndarray) -> np.ndarray:
    return _by_pillow(os.fsdecode(np.asarray(name).item()))


def _is_plain_jpeg(content: tf.Tensor) -> tf.Tensor:
    """Whether it is a grey or RGB JPEG that is not turned, and not too large."""

    def is_plain() -> tf.Tensor:
        shape = tf.cast(tf.io.extract_jpeg_shape(content), tf.int64)
        fits = (shape[0] * shape[1] <= _MOST_PIXELS) & (tf.reduce_max(shape) <= _LONGEST_SIDE)
        return (shape[2] != 4) & fits  # 4: CMYK

    upright = tf.size(tf.strings.split(content, _MARKER)) == 1
    return tf.cond(
        tf.io.is_jpeg(content) & upright,
        is_plain,
        lambda: False,
    )
