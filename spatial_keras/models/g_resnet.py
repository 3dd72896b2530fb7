"""G-ResNet: a residual network that is equivariant to rotations by 90 degrees and mirroring.

Cohen and Welling, "Group equivariant convolutional networks", ICML 2016, section 8.2: one of the
hand-crafted networks that the paper compares with.
"""

from __future__ import annotations

import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.models.group_conv import GROUPS, GroupConv2D
from spatial_keras.support import validation

layers = tf.keras.layers

HEADS = ("group_mean", "flat")
DOWNSAMPLINGS = ("pool", "conv_maxpool", "stride")
# The published networks' channels in each slot, by depth.
_WIDTHS = {26: (25, 50, 100), 44: (11, 23, 45)}
# Two halvings leave one pixel.
_SMALLEST = 4


def g_resnet(  # noqa: PLR0913 - the published network's variants, in the manner of Keras
    depth: int = 44,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    width: float = 1.0,
    group: str = "p4m",
    head: str = "group_mean",
    downsample: str = "pool",
) -> tf.keras.Model:
    """Builds a G-ResNet-`depth`; depth 44 has 2.62 million parameters, depth 26 has 7.17 million.

    A 3x3 lifting convolution; three stages of pre-activation blocks of 3x3 group convolutions; the
    second and third stage begin by halving the image, with a 1x1 convolution on the shortcut.
    Weights are shared by the orientations: about 8 times as many multiplications as an ordinary
    network of as many parameters. The logits of a square image whose height is a multiple of 4 are
    the same, to rounding, for all its rotations by 90 degrees and mirror images, with the defaults
    and with "conv_maxpool". Other heights work, but pooling them is not symmetric. Rotations by
    other angles are not built in.

    The layers are `GroupConv2D` and Keras's own: a saved classifier loads after
    `import spatial_keras`.

    Args:
      depth: 6n + 2, for n residual blocks in each of the three stages. 26 and 44 are published,
        with 25, 50, 100 and 11, 23, 45 channels; all other depths have those of 44.
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels), at least 4x4.
      width: multiplies the stages' channels.
      group: "p4m", rotations and mirrorings (8 slots), or "p4", rotations (4 slots).
      head: what the linear layer sees: "group_mean", the mean over the slots (invariant), or
        "flat", every slot (the authors' code; not invariant).
      downsample: "pool" halves by 2x2 mean pooling before the first convolution of the stage and
        that of its shortcut; "conv_maxpool" by 2x2 max pooling after them; "stride" gives them a
        stride of 2 (the authors' code), which is exact only for a height of 4n + 1, such as 33.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes]. The layer "features" gives the last features, [batch, height / 4,
      width / 4, slots, channels].

    Raises:
      TypeError: an option of another type.
      ValueError: a depth other than 6n + 2, an unknown group, head or downsampling, images that
        are too small, or a width that leaves a stage without channels.
    """
    number = blocks.blocks_per_stage(depth)
    validation.check_integer("num_classes", num_classes, 1)
    validation.check_range("width", width, 1 / 16)
    validation.check_name("group", group, GROUPS)
    validation.check_name("head", head, HEADS)
    validation.check_name("downsampling", downsample, DOWNSAMPLINGS)
    _check_size(depth, input_shape)
    widths = [round(width * channels) for channels in _WIDTHS.get(depth, _WIDTHS[44])]

    inputs = layers.Input(input_shape, name="images")
    x = GroupConv2D(widths[0], 3, group)(blocks.standardize(inputs))
    for stage, channels in enumerate(widths):
        for block in range(number):
            halving = downsample if stage > 0 and block == 0 else None
            shortcut = _conv(x, channels, 1, group, halving) if halving else x
            x = layers.Add()([shortcut, _branch(x, channels, group, halving)])
    x = _activate(x, name="features")
    x = _slots_beside_pixels(x) if head == "group_mean" else _planar(x)
    return tf.keras.Model(inputs, blocks.classify(x, num_classes), name=f"g_resnet{depth}")


def _check_size(depth: int, input_shape: tuple[int, int, int]) -> None:
    if min(input_shape[:2]) < _SMALLEST:
        size = "x".join(map(str, input_shape[:2]))
        raise ValueError(
            f"g_resnet{depth} halves images twice: they must be at least {_SMALLEST}x{_SMALLEST}, "
            f"got {size}."
        )


def _activate(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=2e-5)(x)
    return layers.ReLU(name=name)(x)


def _branch(x: tf.Tensor, channels: int, group: str, halving: str | None) -> tf.Tensor:
    x = _conv(_activate(x), channels, 3, group, halving)
    return _conv(_activate(x), channels, 3, group)


def _conv(
    x: tf.Tensor, channels: int, size: int, group: str, halving: str | None = None
) -> tf.Tensor:
    if halving == "pool":
        x = _pool(layers.AveragePooling2D(2), x)
    x = GroupConv2D(channels, size, group, stride=2 if halving == "stride" else 1)(x)
    return _pool(layers.MaxPooling2D(2), x) if halving == "conv_maxpool" else x


def _pool(pooling: tf.keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
    slots, channels = x.shape[3:]
    x = pooling(_planar(x))
    return layers.Reshape((*x.shape[1:3], slots, channels))(x)


def _planar(x: tf.Tensor) -> tf.Tensor:
    """Joins slots and channels to [batch, height, width, slots * channels]."""
    height, width, slots, channels = x.shape[1:]
    return layers.Reshape((height, width, slots * channels))(x)


def _slots_beside_pixels(x: tf.Tensor) -> tf.Tensor:
    """Makes the slots part of a spatial axis, so that global pooling takes their mean too."""
    height, width, slots, channels = x.shape[1:]
    return layers.Reshape((height, width * slots, channels))(x)
