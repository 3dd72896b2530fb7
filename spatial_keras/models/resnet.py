"""The pre-activation ResNet of the paper's experiments (He et al. 2016, with leaky ReLU)."""

from __future__ import annotations

import math

import tensorflow as tf

from spatial_keras import validation

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
      A functional model: grey levels 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: a depth other than 6n + 2, or a width that leaves a stage without channels.
    """
    validation.check_integer("depth", depth, 8)
    if depth % 6 != 2:
        near = 6 * max(1, round((depth - 2) / 6)) + 2
        raise ValueError(f"depth must be 6n + 2 (8, 14, 20, 32, ...), got {depth}; nearest {near}.")
    validation.check_integer("num_classes", num_classes, 1)
    validation.check_range("width", width, 1 / 16)
    widths = [round(width * channels) for channels in (16, 32, 64)]

    inputs = layers.Input(input_shape, name="images")
    x = standardize(inputs)
    x = _conv(widths[0])(x)
    # The very first block activates before branching: its shortcut carries the activated tensor.
    x = _activate(x)
    x = layers.Add()([x, _branch(x, widths[0], 1, activate=False)])
    for stage, channels in enumerate(widths):
        for block in range(1 if stage == 0 else 0, (depth - 2) // 6):
            stride = 2 if stage > 0 and block == 0 else 1
            x = layers.Add()([_shortcut(x, channels, stride), _branch(x, channels, stride)])
    x = layers.GlobalAveragePooling2D()(_activate(x))
    # float32 also under mixed precision.
    logits = layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.VarianceScaling(1.0, "fan_in", "uniform"),
        dtype="float32",
        name="logits",
    )(x)
    return tf.keras.Model(inputs, logits, name=f"resnet{depth}")


def standardize(images: tf.Tensor) -> tf.Tensor:
    """Subtracts each image's mean and divides by its deviation, in float32.

    As tf.image.per_image_standardization, whose bound on the deviation, 1/sqrt(n) for n values,
    becomes 1/n added to the variance: the same to rounding, unless an image is almost constant.
    """
    return layers.LayerNormalization(
        axis=(1, 2, 3),
        epsilon=1 / math.prod(images.shape[1:]),
        center=False,
        scale=False,
        dtype="float32",
        name="standardize",
    )(images)


def _conv(channels: int, stride: int = 1) -> tf.keras.layers.Layer:
    # N(0, 2 / (3 * 3 * channels)).
    initializer = tf.keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return layers.Conv2D(
        channels, 3, stride, "same", use_bias=False, kernel_initializer=initializer
    )


def _activate(x: tf.Tensor) -> tf.Tensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    # The slope's name in LeakyReLU differs between Keras 2 and 3; here it does not.
    return layers.ReLU(negative_slope=0.1)(x)


def _branch(x: tf.Tensor, channels: int, stride: int, activate: bool = True) -> tf.Tensor:
    if activate:
        x = _activate(x)
    return _conv(channels)(_activate(_conv(channels, stride)(x)))


def _shortcut(x: tf.Tensor, channels: int, stride: int) -> tf.Tensor:
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
    missing = channels - x.shape[-1]
    if missing:
        # Read as channels_first, the last axis is a spatial one: this pads the channels.
        sides = (missing // 2, missing - missing // 2)
        x = layers.ZeroPadding2D(((0, 0), sides), data_format="channels_first")(x)
    return x
