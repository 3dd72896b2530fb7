"""Parameters of transformations as rows of projective maps, which the samplers take."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import tensorflow as tf

from spatial_keras.geometry.axes import Axis, stacked


def projective_rows(
    parameters: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
) -> tf.Tensor:
    """Turns shifts and rotations into the rows of ImageProjectiveTransformV3.

    A row [a0 a1 a2 b0 b1 b2 0 0] maps an **output** point to the **input** point that it shows:
    (x, y) -> (a0 x + a1 y + a2, b0 x + b1 y + b2). The output point is first shifted back by
    (tx, ty), then turned back about the centre ((width - 1) / 2, (height - 1) / 2).

    Args:
      parameters: float [..., 3]: tx and ty in pixels, rotation in degrees counter-clockwise.
      height: the image's height in pixels.
      width: the image's width in pixels.

    Returns:
      Rows, [..., 8], in the parameters' dtype.
    """
    tx, ty, degrees = tf.unstack(parameters, axis=-1)
    radians = degrees * (math.pi / 180)
    cos, sin = tf.cos(radians), tf.sin(radians)
    center_x, center_y = ((tf.cast(size, tx.dtype) - 1) / 2 for size in (width, height))
    from_x, from_y = tx + center_x, ty + center_y
    zero = tf.zeros_like(tx)
    return tf.stack(
        [
            cos, -sin, center_x - cos * from_x + sin * from_y,
            sin, cos, center_y - sin * from_x - cos * from_y,
            zero, zero,
        ],
        axis=-1,
    )  # fmt: skip


def rows_of_axes(
    axes: Sequence[Axis],
    parameters: tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
) -> tf.Tensor:
    """Turns parameters along any axes into rows, of the product of the axes' matrices.

    A row [a0 a1 a2 b0 b1 b2 c0 c1] maps an output point (x, y) to the input point
    ((a0 x + a1 y + a2) / d, (b0 x + b1 y + b2) / d) with d = c0 x + c1 y + 1.

    Args:
      axes: of the parameters' columns; their `order` says which moves the content first.
      parameters: float [..., axes].
      height: the image's height in pixels.
      width: the image's width in pixels.

    Returns:
      Rows, [..., 8], in the parameters' dtype.
    """
    columns = tf.unstack(parameters, axis=-1)
    ordered = sorted(zip(axes, columns), key=lambda pair: pair[0].order)
    matrices = [axis.matrix(values, height, width) for axis, values in ordered]
    center_x, center_y = ((tf.cast(size, parameters.dtype) - 1) / 2 for size in (width, height))
    corner, center = (
        stacked([[1, 0, sign * center_x], [0, 1, sign * center_y], [0, 0, 1]], columns[0])
        for sign in (-1, 1)
    )
    content = functools.reduce(_product, matrices)
    back = functools.reduce(_product, [center, _inverse(content), corner])
    return _rows_of(back)


def cropped(rows: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor) -> tf.Tensor:
    """Returns rows that show only that part of the output in which nothing is from outside.

    It is the largest rectangle about the centre with the image's proportions, enlarged to the
    image's size; the point at the centre alone where that is from outside.

    Args:
      rows: [..., 8], see `rows_of_axes`.
      height: the image's height in pixels.
      width: the image's width in pixels.
    """
    half_x, half_y = ((tf.cast(size, rows.dtype) - 1) / 2 for size in (width, height))
    first, second = rows[..., 0::3], rows[..., 1::3]
    third = tf.concat([rows[..., 2::3], tf.ones_like(rows[..., :1])], axis=-1)
    to_center = first * half_x + second * half_y

    def distances(points: tf.Tensor) -> list[tf.Tensor]:
        x, y, depth = tf.unstack(points, axis=-1)
        return [x, 2 * half_x * depth - x, y, 2 * half_y * depth - y]

    share = tf.ones_like(rows[..., 0])
    for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        to_corner = first * (x * half_x) + second * (y * half_y)
        # On the way from the centre to a corner the distance to each border, times the depth,
        # changes evenly: it ends where the first one is 0.
        for distance, change in zip(distances(third + to_center), distances(to_corner)):
            is_nearing = change < 0
            end = distance / tf.where(is_nearing, -change, 1.0)
            share = tf.minimum(share, tf.where(is_nearing, end, 1.0))
    share = tf.maximum(share, 0.0)[..., None]
    enlarged = [share * first, share * second, third + (1 - share) * to_center]
    return _rows_of(tf.stack(enlarged, axis=-1))


def _rows_of(matrices: tf.Tensor) -> tf.Tensor:
    """Returns matrices [..., 3, 3], output -> input, as rows [..., 8]."""
    first, second, third = tf.unstack(matrices / matrices[..., 2:, 2:], axis=-2)
    return tf.concat([first, second, third[..., :2]], axis=-1)


def _product(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the matrix product [..., 3, 3]; not by matmul, which GPUs round to 10 bits."""
    return tf.reduce_sum(first[..., :, :, None] * second[..., None, :, :], axis=-2)


def _inverse(matrices: tf.Tensor) -> tf.Tensor:
    """Returns inverses [..., 3, 3] up to a factor, which says nothing of a projective map."""
    first, second, third = tf.unstack(matrices, axis=-2)
    pairs = ((second, third), (third, first), (first, second))
    return tf.stack([tf.linalg.cross(*pair) for pair in pairs], axis=-1)
