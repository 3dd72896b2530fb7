"""Convolutions that are equivariant to the rotations (p4) and mirrorings (p4m) of the grid.

Cohen and Welling, "Group equivariant convolutional networks", ICML 2016. Besides its position, a
feature has one of |G| *slots*: the rotations by 0, 90, 180 and 270 degrees counter-clockwise and,
for p4m, the same four followed by flipping up and down. Features are [batch, height, width, |G|,
channels]. When a square input is transformed by g, they are transformed alike and change slots:
slot s of the new features is `transform(slot K[g, s] of the old ones, g)`, K = `relative_slots`.

Keras's own layers do the rest. On these features BatchNormalization shares its weights and its
statistics over the slots, as it should; Reshape to [height, width, |G| * channels] leads to spatial
pooling, slot by slot; GlobalAveragePooling3D pools over the group too, which makes invariants.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.support import validation

# The number of slots. Slot s stands for s % 4 quarter turns, mirrored from 4 on.
GROUPS = {"p4": 4, "p4m": 8}


def transform(array: np.ndarray, slot: int) -> np.ndarray:
    """Turns the first two axes counter-clockwise slot % 4 times; from 4 on, flips up and down."""
    turned = np.rot90(array, slot % 4)
    return turned[::-1] if slot >= 4 else turned


def relative_slots(group: str) -> np.ndarray:
    """Returns the table K [|G|, |G|]: K[s, t] is the slot of the inverse of s followed by t."""
    mirrors, turns = np.divmod(np.arange(GROUPS[group]), 4)
    opposite = mirrors[:, None] ^ mirrors
    # A mirror reverses the sense of rotation.
    relative = np.where(opposite, turns + turns[:, None], turns - turns[:, None])
    return 4 * opposite + relative % 4


@functools.cache
def filter_indices(group: str, size: int, slots: int) -> np.ndarray:
    """Returns which weight stands where in the filters of every output slot.

    Args:
      group: "p4" or "p4m".
      size: of the filters, in pixels.
      slots: of the input; 1 for images.

    Returns:
      Positions in the flattened weights [size, size, slots], int32 [size, size, slots, |G|].
    """
    indices = np.arange(size * size * slots, dtype=np.int32).reshape(size, size, slots)
    sources = relative_slots(group) if slots > 1 else np.zeros([GROUPS[group], 1], np.int32)
    filters = [transform(indices[:, :, source], slot) for slot, source in enumerate(sources)]
    return np.stack(filters, axis=-1)


@tf.keras.utils.register_keras_serializable("spatial_keras")
class GroupConv2D(tf.keras.layers.Layer):
    """A group convolution: of images (lifting), or of features with slots.

    Every weight serves all |G| orientations: the filters of output slot s are transformed by s, in
    their pixels and in the slots that they read. One ordinary convolution with the filters of all
    slots computes the output. The border is padded by (kernel_size - 1) / 2 zeros on every side.

    The equivariance is exact, to rounding, at stride 1. A stride of 2 keeps it only for an odd
    height and width: else the pixels that are left are not symmetric about the centre.

    Input: [batch, height, width, channels] or [batch, height, width, |G|, channels], of which only
    the batch may be unknown.

    Output: [batch, ceil(height / stride), ceil(width / stride), |G|, channels].

    Args:
      channels: of the output, in each slot; each has one bias.
      kernel_size: of the square filters, odd.
      group: "p4" (4 slots) or "p4m" (8 slots).
      stride: in both directions.

    Raises:
      TypeError: channels, kernel_size or stride is not an integer.
      ValueError: one of them is less than 1, the kernel's size is even, the group is unknown, or
        the input has another shape.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        group: str = "p4m",
        stride: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = validation.check_integer("channels", channels, 1)
        self.kernel_size = validation.check_integer("kernel_size", kernel_size, 1)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}.")
        self.group = validation.check_name("group", group, GROUPS)
        self.stride = validation.check_integer("stride", stride, 1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the kernel [size, size, (|G|,) input channels, channels] and the bias."""
        slots = GROUPS[self.group]
        lifting = len(input_shape) == 4
        known = None not in tuple(input_shape)[1:]
        if not known or not (lifting or (len(input_shape) == 5 and input_shape[3] == slots)):
            raise ValueError(
                f"a {self.group} convolution takes [batch, height, width, channels] or [batch, "
                f"height, width, {slots}, channels] of a fixed size, got {tuple(input_shape)}."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, *input_shape[3:], self.channels),
            # The fan-in counts the slots of the input.
            initializer=tf.keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal"),
        )
        self.bias = self.add_weight(name="bias", shape=(self.channels,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolves; see the class."""
        filters = self._filters()
        border = (self.kernel_size - 1) // 2
        padding = [[0, 0], [border, border], [border, border], [0, 0]]
        x = tf.reshape(inputs, [-1, *inputs.shape[1:3], filters.shape[2]])
        x = tf.nn.conv2d(x, filters, self.stride, padding)
        x = tf.nn.bias_add(x, tf.tile(self.bias, [GROUPS[self.group]]))
        return tf.reshape(x, [-1, *x.shape[1:3], GROUPS[self.group], self.channels])

    def _filters(self) -> tf.Tensor:
        """Returns the filters of all slots, [size, size, input (slots, channels), (slots, ...)]."""
        size, _, *slots, before, after = self.kernel.shape
        indices = filter_indices(self.group, size, *(slots or [1]))
        weights = tf.reshape(self.kernel, [-1, before * after])
        filters = tf.reshape(tf.gather(weights, indices), [*indices.shape, before, after])
        filters = tf.transpose(filters, [0, 1, 2, 4, 3, 5])
        return tf.reshape(filters, [size, size, indices.shape[2] * before, -1])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the output's shape."""
        batch, *size = tuple(input_shape)[:3]
        size = [-(-length // self.stride) for length in size]
        return (batch, *size, GROUPS[self.group], self.channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.update(
            channels=self.channels,
            kernel_size=self.kernel_size,
            group=self.group,
            stride=self.stride,
        )
        return config
