"""VGG with BatchNorm for small images (Simonyan and Zisserman 2015), the second family."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.support import validation

layers = tf.keras.layers

_CHANNELS = (64, 128, 256, 512, 512)
# By depth: the convolutions of each of the five stages; the dense layer is the last one.
CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
# The last stage then still sees 2x2 pixels.
_SMALLEST = 17


def vgg(
    depth: int = 16,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    width: float = 1.0,
) -> tf.keras.Model:
    """Builds a VGG-`depth` with BatchNorm; depth 16 and width 1 have 14.7 million parameters.

    Five stages of 3x3 convolutions, each with BatchNorm and ReLU, end in 2x2 max pooling. A 32x32
    image is then 1x1, and one dense layer takes the place of the original's three, as is usual for
    images this small; what is left of a larger image is averaged. All layers are Keras's own, so a
    saved classifier loads without this package.

    Args:
      depth: 11, 13, 16 or 19 layers with kernels, counting the original's three dense ones.
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels); at least 17x17, so that it can be halved five times.
      width: multiplies the stages' widths 64, 128, 256, 512 and 512.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: another depth, images that are too small, or a width that leaves a stage without
        channels.
    """
    validation.check_integer("depth", depth)
    if depth not in CONVOLUTIONS:
        near = min(CONVOLUTIONS, key=lambda known: abs(known - depth))
        raise ValueError(f"depth must be 11, 13, 16 or 19, got {depth}; nearest {near}.")
    validation.check_integer("num_classes", num_classes, 1)
    validation.check_range("width", width, 1 / 64)
    if min(input_shape[:2]) < _SMALLEST:
        size = "x".join(map(str, input_shape[:2]))
        raise ValueError(
            f"vgg{depth} halves images five times: they must be at least {_SMALLEST}x{_SMALLEST}, "
            f"got {size}."
        )

    inputs = layers.Input(input_shape, name="images")
    x = blocks.standardize(inputs)
    for channels, convolutions in zip(_CHANNELS, CONVOLUTIONS[depth]):
        for _ in range(convolutions):
            x = blocks.conv(round(width * channels))(x)
            x = layers.ReLU()(blocks.batch_norm()(x))
        # An odd row or column is pooled with what is there: 28x28 ends as 1x1 too.
        x = layers.MaxPooling2D(2, padding="same")(x)
    return tf.keras.Model(inputs, blocks.classify(x, num_classes), name=f"vgg{depth}")
