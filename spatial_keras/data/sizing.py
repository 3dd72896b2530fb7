"""How images come to one size."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from spatial_keras.support import validation


@dataclasses.dataclass(frozen=True)
class Sizing:
    """Brings an image to a size; as a function, of an image, uint8 [height, width, channels].

    Args:
      size: height and width to resize to; None leaves images as they are.
      crop: the side of the square in the middle that is cut out before, as a share of the shorter
        side, in (0, 1]; None resizes the whole image, whatever its proportions.

    Raises:
      ValueError: a number is outside its range, or there is a crop and no size.
    """

    size: int | None = None
    crop: float | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            validation.check_integer("image_size", self.size, 1)
        if self.crop is not None:
            validation.check_range("crop", self.crop, 0, 1, exclusive_low=True)
            if self.size is None:
                raise ValueError("--crop needs --image_size, the size of what is cut out.")

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the image at its size, uint8."""
        if self.crop is not None:
            image = central_square(image, self.crop)
        return image if self.size is None else resize(image, self.size)


def central_square(image: tf.Tensor, share: float) -> tf.Tensor:
    """Returns the square in the middle of an image whose side is a share of the shorter side."""
    height, width = tf.unstack(tf.shape(image)[:2])
    shorter = tf.cast(tf.minimum(height, width), tf.float32)
    side = tf.maximum(tf.cast(tf.round(share * shorter), tf.int32), 1)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resize(images: tf.Tensor, size: int) -> tf.Tensor:
    """Returns images, uint8, at another height and width."""
    return tf.cast(tf.round(tf.image.resize(images, [size, size], antialias=True)), tf.uint8)
