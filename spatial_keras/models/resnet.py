"""The pre-activation ResNet of the paper's experiments (He et al. 2016, with leaky ReLU)."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.support import validation

layers = tf.keras.layers


def resnet(
    depth: int = 32,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    width: float = 1.0,
) -> tf.keras.Model:
    """Builds a ResNet-`depth`; depth 32 and width 1 are the paper's, with 466k parameters.

    All layers are Keras's own, so a saved classifier loads without this package.

    Args:
      depth: 6n + 2, for n residual blocks in each of the three stages.
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels).
      width: multiplies the stages' widths 16, 32 and 64.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: a depth other than 6n + 2, or a width that leaves a stage without channels.
    """
    number = blocks.blocks_per_stage(depth)
    validation.check_integer("num_classes", num_classes, 1)
    validation.check_range("width", width, 1 / 16)
    widths = [round(width * channels) for channels in (16, 32, 64)]

    inputs = layers.Input(input_shape, name="images")
    x = blocks.conv(widths[0])(blocks.standardize(inputs))
    # The very first block activates before branching: its shortcut carries the activated tensor.
    x = _activate(x)
    x = layers.Add()([x, _branch(x, widths[0], 1, activate=False)])
    for stage, channels in enumerate(widths):
        for block in range(1 if stage == 0 else 0, number):
            stride = 2 if stage > 0 and block == 0 else 1
            x = layers.Add()([_shortcut(x, channels, stride), _branch(x, channels, stride)])
    logits = blocks.classify(_activate(x), num_classes)
    return tf.keras.Model(inputs, logits, name=f"resnet{depth}")


def _activate(x: tf.Tensor) -> tf.Tensor:
    # The slope's name in LeakyReLU differs between Keras 2 and 3; here it does not.
    return layers.ReLU(negative_slope=0.1)(blocks.batch_norm()(x))


def _branch(x: tf.Tensor, channels: int, stride: int, activate: bool = True) -> tf.Tensor:
    if activate:
        x = _activate(x)
    return blocks.conv(channels)(_activate(blocks.conv(channels, stride)(x)))


def _shortcut(x: tf.Tensor, channels: int, stride: int) -> tf.Tensor:
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
    missing = channels - x.shape[-1]
    if missing:
        # Read as channels_first, the last axis is a spatial one: this pads the channels.
        sides = (missing // 2, missing - missing // 2)
        x = layers.ZeroPadding2D(((0, 0), sides), data_format="channels_first")(x)
    return x
