"""Equivariant transformer network (Tai, Bailis, Valiant 2019) in front of the ResNet."""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.models.coordinates import LOG_RADII, POSES, GridSampler, TransformMatrix
from spatial_keras.models.pose import Parameter, direct_pose, equivariant_pose
from spatial_keras.models.resnet import resnet
from spatial_keras.support import validation

layers = tf.keras.layers

# The coordinates in which each transformation is a shift.
TRANSFORMERS = {"translation": "cartesian", "rotation": "polar", "rotation_scale": "log_polar"}


def etn_resnet(
    depth: int = 32,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    width: float = 1.0,
    equivariant: bool = True,
    transformers: tuple[str, ...] = ("translation", "rotation"),
    kernel_size: int = 3,
) -> tf.keras.Model:
    """Builds a ResNet-`depth` that sees its images after their poses are undone.

    Each transformer reads the original image along coordinates in which its transformation is a
    shift, moved by the transformers before it; predicts from what it reads, standardized, how far
    the content is shifted; and multiplies the matrix of the points. The ResNet gets the image read
    once more along the last matrix: one interpolation in all, with black outside. A prediction is
    equivariant by construction for its own transformation (T(x, t) turns before it shifts, so the
    shift is undone first); in a sequence this holds but nearly.

    Layers by name, for each transformer: "<transformer>_coordinates", the canonical image;
    "<transformer>_<parameter>_scores" and "..._heat_map", for the parameters `POSES` lists;
    "<transformer>_pose", [batch, parameters], in pixels to the right and down, degrees
    counter-clockwise, and the logarithm of a factor; "<transformer>_transform". Then
    "transformed", the warped images, and "resnet<depth>", the classifier.

    Args:
      depth: 6n + 2, of the ResNet.
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels), at least 2x2.
      width: multiplies the widths of the ResNet and the 32 filters of the pose predictors.
      equivariant: False predicts poses by a dense layer instead, an ablation.
      transformers: different ones of "translation", "rotation" and "rotation_scale", in order.
      kernel_size: of the pose predictors' convolutions, odd.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: no or unknown or repeated transformers, an even kernel_size, too small images, or
        options that `resnet` rejects.
    """
    _check(transformers, kernel_size, input_shape)
    classifier = resnet(depth, num_classes, input_shape, width)
    predict = equivariant_pose if equivariant else direct_pose

    inputs = layers.Input(input_shape, name="images")
    matrices = None
    for name in transformers:
        sampler = GridSampler(TRANSFORMERS[name], name=f"{name}_coordinates")
        canonical = sampler(inputs) if matrices is None else sampler(inputs, matrices)
        canonical = blocks.standardize(canonical, name=f"{name}_standardize")
        parameters = _parameters(name, *input_shape[:2])
        pose = predict(canonical, name, parameters, round(32 * width), kernel_size)
        transform = TransformMatrix(name, name=f"{name}_transform")
        matrices = transform(pose) if matrices is None else transform(pose, matrices)
    transformed = GridSampler(name="transformed")(inputs, matrices)
    return tf.keras.Model(inputs, classifier(transformed), name=f"etn_resnet{depth}")


def _parameters(transformer: str, height: int, width: int) -> tuple[Parameter, ...]:
    known = (
        Parameter("x", axis=2, half_range=(width - 1) / 2),
        Parameter("y", axis=1, half_range=(height - 1) / 2),
        Parameter("angle", axis=1, half_range=180.0, periodic=True),
        Parameter("log_scale", axis=2, half_range=LOG_RADII / 2),
    )
    return tuple(parameter for parameter in known if parameter.name in POSES[transformer])


def _check(
    transformers: tuple[str, ...], kernel_size: int, input_shape: tuple[int, int, int]
) -> None:
    if not isinstance(transformers, (list, tuple)) or not transformers:
        raise ValueError(
            f"transformers must be a list of {', '.join(TRANSFORMERS)}, got {transformers!r}."
        )
    for name in transformers:
        validation.check_name("transformer", name, TRANSFORMERS)
    if len({*transformers}) < len(transformers):
        raise ValueError(f"transformers must be different ones, got {', '.join(transformers)}.")
    validation.check_integer("kernel_size", kernel_size, 1, min(input_shape[:2]))
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, got {kernel_size}.")
    if min(input_shape[:2]) < 2:
        size = "x".join(map(str, input_shape[:2]))
        raise ValueError(f"an etn_resnet needs images of at least 2x2, got {size}.")
