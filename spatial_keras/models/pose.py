"""Pose predictors: how far the content of a canonical image is shifted (Tai et al. 2019).

An equivariant predictor shifts its pose by exactly as much as its input is shifted, along the
rows or the columns. The direct one is free to do anything, as in a spatial transformer network.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.models import blocks
from spatial_keras.support import validation

layers = tf.keras.layers

# Of the mean vector of a heat map on a circle: shorter ones hardly have a direction.
_SHORT = 0.1
_ROUNDING = 1e-6
# The ResNet's learning rate would else push the content out of the frame within ten steps.
_BIAS_SCALE = 0.1


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One number of a pose, and where it is read in the canonical image.

    Attributes:
      name: its name, for the names of layers.
      axis: 1 if it shifts the rows, 2 if it shifts the columns.
      half_range: the axis goes from -half_range to half_range, in the parameter's unit.
      periodic: the axis closes; only axis 1 may. half_range is then half a turn.
    """

    name: str
    axis: int
    half_range: float
    periodic: bool = False


@tf.keras.utils.register_keras_serializable("spatial_keras")
class CyclicPadding(tf.keras.layers.Layer):
    """Continues a periodic axis 1 at both ends by what is at the other end.

    Call argument: [batch, rows, ...], at least `padding` rows. Output: [batch, rows + 2 padding,
    ...].

    Args:
      padding: how many rows to add at each end, at least 0.

    Raises:
      ValueError: a negative padding.
    """

    def __init__(self, padding: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = validation.check_integer("padding", padding, 0)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pads; see the class."""
        rows = inputs.shape[1]
        before, after = inputs[:, rows - self.padding :], inputs[:, : self.padding]
        return tf.concat([before, inputs, after], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "padding": self.padding}


@tf.keras.utils.register_keras_serializable("spatial_keras")
class HeatMapPose(tf.keras.layers.Layer):
    """The mean position in a heat map, plus a learned canonical pose.

    On an axis with ends the mean of positions from -half_range to half_range; on a periodic axis
    the circular mean of angles from -half_range + half a step on, 0 for a flat heat map. The
    canonical pose is half_range * tanh(bias / 10), 0 at first. The gradient of a circular mean is
    exact if the mean vector of the heat map is at least 0.1 long, and bounded for flatter ones.

    Call argument: probabilities along the axis, [batch, positions].
    Output: the pose, [batch, 1].

    Args:
      half_range: half the length of the axis, in the pose's unit: 180 for degrees.
      periodic: whether the axis closes.
      dtype: float32 also under mixed precision; or "float64".

    Raises:
      ValueError: a half_range that is not positive.
    """

    def __init__(
        self, half_range: float, periodic: bool = False, dtype: Any = "float32", **kwargs: Any
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.half_range = validation.check_range("half_range", half_range, 0, exclusive_low=True)
        self.periodic = periodic

    def build(self, input_shape: Any) -> None:
        """Computes the positions, and creates the bias."""
        positions = tuple(input_shape)[-1]
        if self.periodic:
            self._positions = -1 + 2 * (np.arange(positions) + 0.5) / positions
        else:
            self._positions = np.linspace(-1, 1, positions) if positions > 1 else np.zeros(1)
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")
        super().build(input_shape)

    def call(self, probabilities: tf.Tensor) -> tf.Tensor:
        """Returns the pose; see the class."""
        if self.periodic:
            mean = self._circular_mean(probabilities)
        else:
            mean = tf.reduce_sum(probabilities * self._positions, axis=-1)
        return self.half_range * (mean + tf.tanh(_BIAS_SCALE * self.bias))[:, None]

    def _circular_mean(self, probabilities: tf.Tensor) -> tf.Tensor:
        radians = math.pi * self._positions
        x = tf.reduce_sum(probabilities * np.cos(radians), axis=-1)
        y = tf.reduce_sum(probabilities * np.sin(radians), axis=-1)
        # The gradient of atan2, (-y, x) / length^2, grows without bounds as the length goes to 0.
        fixed_x, fixed_y = tf.stop_gradient(x), tf.stop_gradient(y)
        square = fixed_x**2 + fixed_y**2
        zero = (fixed_x * y - fixed_y * x) / tf.maximum(square, _SHORT**2)
        radians = tf.where(square > _ROUNDING**2, tf.atan2(fixed_y, fixed_x), tf.zeros_like(x))
        return (radians + zero) / math.pi

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = {"half_range": self.half_range, "periodic": self.periodic}
        return {**super().get_config(), **config}


def equivariant_pose(
    canonical: tf.Tensor,
    name: str,
    parameters: tuple[Parameter, ...],
    filters: int = 32,
    kernel_size: int = 3,
    strides: tuple[int, int] = (1, 1),
) -> tf.Tensor:
    """Predicts a pose that shifts with the canonical image.

    Two convolutions with BatchNorm and leaky ReLU; then for each parameter the maximum over the
    other axis, a 1-D convolution to one score per position ("<name>_<parameter>_scores"), softmax
    ("..._heat_map") and the mean position. All see a periodic axis as closed, the others' outside
    as 0. The pose, "<name>_pose", is exact for cyclic shifts by whole rows with strides of 1.

    On a periodic axis the 1-D kernel is drawn from N(0, 64 / (kernel_size * filters)): with Keras's
    own default the heat map would be flat, its circular mean without direction, and the gradient
    huge. On an axis with ends the kernel is 0 at first, so that the pose begins at 0.

    Args:
      canonical: [batch, rows, columns, channels].
      name: the transformer's, for the names of layers.
      parameters: what to predict.
      filters: the convolutions' channels.
      kernel_size: of all convolutions, odd.
      strides: of the two convolutions.

    Returns:
      The pose, float32 [batch, parameters], in the parameters' units.
    """
    periodic = any(parameter.periodic for parameter in parameters)
    x = canonical
    for stride in strides:
        x = _conv_norm_relu(x, filters, kernel_size, stride, periodic)
    poses = [_mean_position(x, f"{name}_{one.name}", one, kernel_size) for one in parameters]
    return _joined(poses, name)


def direct_pose(
    canonical: tf.Tensor,
    name: str,
    parameters: tuple[Parameter, ...],
    filters: int = 32,
    kernel_size: int = 3,
) -> tf.Tensor:
    """Predicts a pose as a spatial transformer network does, without equivariance: an ablation.

    The same two convolutions, max pooling to kernel_size x kernel_size overlapping windows, and a
    dense layer with tanh, which begins at pose 0. Arguments and result as `equivariant_pose`.
    """
    periodic = any(parameter.periodic for parameter in parameters)
    x = canonical
    for _ in range(2):
        x = _conv_norm_relu(x, filters, kernel_size, 1, periodic)
    strides = [max(1, size // kernel_size) for size in x.shape[1:3]]
    windows = [max(1, size - (kernel_size - 1) * s) for size, s in zip(x.shape[1:3], strides)]
    x = layers.Flatten()(layers.MaxPooling2D(tuple(windows), tuple(strides))(x))
    x = layers.Dense(
        len(parameters), "tanh", kernel_initializer="zeros", dtype="float32", name=f"{name}_tanh"
    )(x)
    scale = [parameter.half_range for parameter in parameters]
    return layers.Rescaling(scale, dtype="float32", name=f"{name}_pose")(x)


def _conv_norm_relu(
    x: tf.Tensor, filters: int, kernel_size: int, stride: int, periodic: bool
) -> tf.Tensor:
    if periodic:
        padding = kernel_size // 2
        x = layers.ZeroPadding2D((0, padding))(CyclicPadding(padding)(x))
    x = layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding="valid" if periodic else "same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.ReLU(negative_slope=0.1)(blocks.batch_norm()(x))


def _mean_position(
    features: tf.Tensor, name: str, parameter: Parameter, kernel_size: int
) -> tf.Tensor:
    """Returns a parameter's pose, [batch, 1], from features [batch, rows, columns, channels]."""
    rows, columns, channels = features.shape[1:]
    window, length = ((1, columns), rows) if parameter.axis == 1 else ((rows, 1), columns)
    x = layers.Reshape((length, channels))(layers.MaxPooling2D(window)(features))
    if parameter.periodic:
        x = CyclicPadding(kernel_size // 2)(x)
    x = layers.Conv1D(
        1,
        kernel_size,
        padding="valid" if parameter.periodic else "same",
        use_bias=False,
        kernel_initializer=_head_initializer(parameter, kernel_size * channels),
    )(x)
    scores = layers.Reshape((length,), name=f"{name}_scores")(x)
    heat_map = layers.Softmax(dtype="float32", name=f"{name}_heat_map")(scores)
    return HeatMapPose(parameter.half_range, parameter.periodic, name=name)(heat_map)


def _head_initializer(parameter: Parameter, fan_in: int) -> Any:
    if not parameter.periodic:
        return tf.keras.initializers.Zeros()
    return tf.keras.initializers.RandomNormal(stddev=8 / math.sqrt(fan_in))


def _joined(poses: list[tf.Tensor], name: str) -> tf.Tensor:
    if len(poses) == 1:
        return layers.Identity(dtype="float32", name=f"{name}_pose")(poses[0])
    return layers.Concatenate(dtype="float32", name=f"{name}_pose")(poses)
