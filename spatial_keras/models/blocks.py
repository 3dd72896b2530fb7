"""The pieces that the networks share, with the initial values of the paper's code."""

from __future__ import annotations

import math

import tensorflow as tf

from spatial_keras.support import validation

layers = tf.keras.layers

# The deepest that was published for images of this size.
_DEEPEST = 1202


def blocks_per_stage(depth: int) -> int:
    """Returns n, the residual blocks in each of the three stages of a network of depth 6n + 2.

    Raises:
      TypeError: the depth is not an integer.
      ValueError: it is another one.
    """
    validation.check_integer("depth", depth, 8, _DEEPEST)
    if depth % 6 != 2:
        near = 6 * max(1, round((depth - 2) / 6)) + 2
        raise ValueError(f"depth must be 6n + 2 (8, 14, 20, 32, ...), got {depth}; nearest {near}.")
    return (depth - 2) // 6


def standardize(images: tf.Tensor, name: str = "standardize") -> tf.Tensor:
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
        name=name,
    )(images)


def conv(channels: int, stride: int = 1) -> tf.keras.layers.Layer:
    """A 3x3 convolution without bias; its kernel is drawn from N(0, 2 / (3 * 3 * channels))."""
    initializer = tf.keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return layers.Conv2D(
        channels, 3, stride, "same", use_bias=False, kernel_initializer=initializer
    )


def batch_norm() -> tf.keras.layers.Layer:
    """BatchNorm with the paper's constants."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-3)


def classify(x: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Pools globally and gives logits, float32 also under mixed precision.

    Args:
      x: features, [batch, height, width, channels].
      num_classes: the number of classes.

    Returns:
      [batch, num_classes].
    """
    return layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.VarianceScaling(1.0, "fan_in", "uniform"),
        dtype="float32",
        name="logits",
    )(layers.GlobalAveragePooling2D()(x))
