"""What a network costs: its multiply-adds."""

from __future__ import annotations

import math

import tensorflow as tf

# The products of matrices, and which attribute says that the first one is transposed.
_TRANSPOSED = {"MatMul": "transpose_a", "BatchMatMulV2": "adj_x"}


def multiply_adds(model: tf.keras.Model) -> int:
    """Counts the multiply-adds of a model's convolutions and matrix products for one image.

    Pointwise operations, pooling and the reading of warped images are not counted, as is usual.

    Args:
      model: a classifier of images of a fixed size, as `models.get` returns.

    Returns:
      How many numbers are multiplied and added to others.
    """
    image = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
    graph = tf.function(lambda images: model(images, training=False)).get_concrete_function(image)
    return sum(map(_products, graph.graph.get_operations()))


def _products(operation: tf.Operation) -> int:
    if operation.type not in ("Conv2D", *_TRANSPOSED):
        return 0
    (output,) = operation.outputs
    if operation.type == "Conv2D":
        factors = operation.inputs[1].shape[:-1]  # of the filters: all but the output's channels
    else:
        inner = -2 if operation.get_attr(_TRANSPOSED[operation.type]) else -1
        factors = operation.inputs[0].shape[inner : inner + 1 or None]
    return math.prod([*output.shape, *factors])
