"""Spatial transformer network (Jaderberg et al. 2015): the ResNet behind a learned warp."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.models.coordinates import POSES, GridSampler, TransformMatrix
from spatial_keras.models.resnet import resnet
from spatial_keras.support import validation

layers = tf.keras.layers

MODES = ("rigid", "affine6")
FILLS = ("black", "mean")


def stn_resnet(
    depth: int = 32,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    width: float = 1.0,
    mode: str = "rigid",
    max_shift: float | None = None,
    max_rotation: float = 45.0,
    fill: str = "black",
) -> tf.keras.Model:
    """Builds a ResNet-`depth` that sees its images after one warp, by a pose that it predicts.

    A small network, the localiser, looks at the standardized image and predicts how its content
    is moved; reading the image at the points moved alike undoes that, with one interpolation.
    The warp begins as the identity. Nothing makes the prediction equivariant.

    Layers by name: "pose", [batch, 3] with (tx, ty, rotation) in pixels to the right and down and
    in degrees counter-clockwise, as in T(x, t); or [batch, 6], the upper two rows of the matrix
    that takes points of the output to points of the image, in pixels about its centre.
    "transformed": the warped images. "resnet<depth>": the classifier.

    Args:
      depth: 6n + 2, of the ResNet.
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels).
      width: multiplies the widths of the ResNet and of the localiser's two convolutions, 32.
      mode: "rigid", a bounded shift and rotation; or "affine6", the paper's six free numbers,
        whose bias is the identity (the training's weight decay is on kernels alone).
      max_shift: the bound on "rigid" shifts, each way, in pixels; None is 6/32 of the longer side.
      max_rotation: the bound on "rigid" rotations, either way, in degrees.
      fill: what comes in from outside: "black", or the image's "mean", by warping after the
        standardization.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: an unknown mode or fill, a bound that is not positive, a rotation above 180, or
        options that `resnet` rejects.
    """
    validation.check_name("mode", mode, MODES)
    validation.check_name("fill", fill, FILLS)
    if max_shift is None:
        max_shift = 6 / 32 * max(input_shape[:2])
    validation.check_range("max_shift", max_shift, 0, exclusive_low=True)
    validation.check_range("max_rotation", max_rotation, 0, 180, exclusive_low=True)
    classifier = resnet(depth, num_classes, input_shape, width)

    inputs = layers.Input(input_shape, name="images")
    standardized = blocks.standardize(inputs)
    features = _localiser(standardized, round(32 * width))
    if mode == "rigid":
        pose = _regression(features, "tanh", [0.0] * 3, [max_shift, max_shift, max_rotation])
    else:
        pose = _regression(features, None, [1.0, 0, 0, 0, 1, 0], _half_sides(*input_shape[:2]))
    matrices = TransformMatrix(mode, name="transform")(pose)
    source = inputs if fill == "black" else standardized
    transformed = GridSampler(name="transformed")(source, matrices)
    return tf.keras.Model(inputs, classifier(transformed), name=f"stn_resnet{depth}")


def _localiser(x: tf.Tensor, filters: int) -> tf.Tensor:
    for _ in range(2):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    return layers.Dense(32, activation="relu")(layers.Flatten()(x))


def _regression(
    x: tf.Tensor, activation: str | None, bias: list[float], scale: list[float]
) -> tf.Tensor:
    x = layers.Dense(
        len(bias),
        activation,
        kernel_initializer="zeros",
        bias_initializer=tf.keras.initializers.Constant(bias),
        dtype="float32",
        name="regression",
    )(x)
    return layers.Rescaling(scale, dtype="float32", name="pose")(x)


def _half_sides(height: int, width: int) -> list[float]:
    """Returns the factors that take a matrix of points in half-sides, -1..1, to one in pixels."""
    x, y = max(1, width - 1) / 2, max(1, height - 1) / 2
    factors = {"xy": x / y, "x": x, "yx": y / x, "y": y}
    return [factors.get(name, 1.0) for name in POSES["affine6"]]
