"""A network for fast training: whitened patches, then few wide convolutions (Jordan 2024)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.support import validation

layers = tf.keras.layers

_WIDTHS = (32, 128, 128)
# Height and width of a patch.
_PATCH = 2
# Whitening and three poolings then still leave a pixel.
_SMALLEST = 9
_WHITENING = "whitening"
# Added to the patches' variances, where standardized pixels have one of 1 (the source's).
_EPSILON = 5e-4
# The patches of so many images at a time.
_IMAGES_AT_A_TIME = 256


def airbench(
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    width: float = 1.0,
) -> tf.keras.Model:
    """Builds the network of Jordan 2024 (arXiv 2404.00498), at width 1 with half the channels.

    A fixed convolution of 2x2 patches, which `adapt` sets, then three blocks of a 3x3 convolution,
    2x2 max pooling and another 3x3 convolution, each with BatchNorm and GELU; pooling over all
    pixels and a dense layer. Wide layers do more multiply-adds a second than many narrow ones. All
    layers are Keras's own, so a saved classifier loads without this package.

    Args:
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels); at least 9x9.
      width: multiplies the blocks' widths 32, 128 and 128.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: images that are too small, or a width that leaves a block without channels.
    """
    validation.check_integer("num_classes", num_classes, 1)
    validation.check_range("width", width, 1 / 32)
    if min(input_shape[:2]) < _SMALLEST:
        size = "x".join(map(str, input_shape[:2]))
        raise ValueError(
            f"airbench halves images three times: they must be at least {_SMALLEST}x{_SMALLEST}, "
            f"got {size}."
        )
    inputs = layers.Input(input_shape, name="images")
    x = _whitening(input_shape[-1])(blocks.standardize(inputs))
    x = layers.Activation("gelu")(x)
    for channels in _WIDTHS:
        x = blocks.conv(round(width * channels))(x)
        x = _activate(layers.MaxPooling2D(2)(x))
        x = _activate(blocks.conv(round(width * channels))(x))
    return tf.keras.Model(inputs, blocks.classify(x, num_classes), name="airbench")


def adapt(classifier: tf.keras.Model, images: Any) -> None:
    """Sets what a network takes from its training images before it is trained.

    Of `airbench` that is the whitening: the patches that its first convolution gives are
    uncorrelated and of variance 1 over these images; each comes a second time with the other sign.
    Other networks take nothing and stay as they are.

    Args:
      classifier: as `models.get` returns it.
      images: an array of pixel values 0..255, [n, height, width, channels], or what is read as one
        when it is sliced; some thousands of images are enough.
    """
    layer = next((layer for layer in classifier.layers if layer.name == _WHITENING), None)
    if layer is None:
        return
    standardize = tf.keras.Model(classifier.inputs[0], layer.input)
    # Of [1, patch]: its products with itself are the moments up to the second.
    size = 1 + _PATCH**2 * layer.input.shape[-1]
    moments = np.zeros([size, size])
    for start in range(0, len(images), _IMAGES_AT_A_TIME):
        pixels = np.asarray(images[start : start + _IMAGES_AT_A_TIME], np.float32)
        patches = _patches(standardize(pixels, training=False).numpy())
        moments += patches.T @ patches
    moments /= moments[0, 0]
    covariance = moments[1:, 1:] - np.outer(moments[0, 1:], moments[0, 1:])
    variances, directions = np.linalg.eigh(covariance)
    filters = directions / np.sqrt(variances + _EPSILON)
    kernel = np.concatenate([filters, -filters], axis=1)
    layer.set_weights([kernel.reshape(layer.kernel.shape)])


def _patches(images: np.ndarray) -> np.ndarray:
    """Returns a 1 and each patch's numbers, float64, [patches, 1 + height * width * channels]."""
    # The types of NumPy 1.26 know of a single axis only.
    windows = np.lib.stride_tricks.sliding_window_view(  # type: ignore[call-overload]
        images, (_PATCH, _PATCH), axis=(1, 2)
    )
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, _PATCH**2 * images.shape[-1])
    return np.insert(patches.astype(np.float64), 0, 1, axis=1)


def _whitening(channels: int) -> tf.keras.layers.Layer:
    # Until it is adapted, the patches turned at random, which loses nothing of them.
    return layers.Conv2D(
        2 * _PATCH**2 * channels,
        _PATCH,
        use_bias=False,
        kernel_initializer=tf.keras.initializers.Orthogonal(),
        trainable=False,
        name=_WHITENING,
    )


def _activate(x: tf.Tensor) -> tf.Tensor:
    return layers.Activation("gelu")(blocks.batch_norm()(x))
