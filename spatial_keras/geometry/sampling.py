"""Sampling of images: the TensorFlow op, and a differentiable gather that XLA compiles.

Pixel (row y, column x) sits at the point (x, y); unless another fill is asked for, everything
outside the image is 0, so values fade to 0 within one pixel of the border. Both samplers agree to
rounding.
"""

from __future__ import annotations

import tensorflow as tf

# What is seen outside of an image -> ImageProjectiveTransformV3's name of it. Where rows are
# cropped (`projective.cropped`) nothing outside is seen, but for rounding at the border.
_OP_FILLS = {"black": "CONSTANT", "nearest": "NEAREST", "reflect": "REFLECT", "crop": "NEAREST"}
FILLS = tuple(_OP_FILLS)
INTERPOLATIONS = ("bilinear", "nearest")

# (height, width) in pixels; scalar tensors where the graph does not know them.
Size = tuple["int | tf.Tensor", "int | tf.Tensor"]


def size_of(images: tf.Tensor) -> Size:
    """Returns height and width of images [batch, height, width, channels]."""
    height, width = images.shape[1:3]
    if height is None or width is None:
        height, width = tf.unstack(tf.shape(images)[1:3])
    return height, width


def sample_with_op(
    images: tf.Tensor,
    rows: tf.Tensor,
    size: Size,
    fill: str = "black",
    interpolation: str = "bilinear",
) -> tf.Tensor:
    """Samples with ImageProjectiveTransformV3, which has no gradient in `rows` and no XLA kernel.

    Args:
      images: [batch, height, width, channels], a floating type.
      rows: float32 [batch, draws, 8], output point -> input point
        (`projective`).
      size: (height, width) of the output, in pixels.
      fill: what is seen outside of an image, one of `FILLS`.
      interpolation: one of `INTERPOLATIONS`.

    Returns:
      [batch, draws, *size, channels], in the images' dtype.
    """
    batch, draws = tf.shape(rows)[0], rows.shape[1]
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.repeat(images, draws, axis=0),
        transforms=tf.reshape(rows, [-1, 8]),
        output_shape=size,
        fill_value=0.0,
        interpolation=interpolation.upper(),
        fill_mode=_OP_FILLS[fill],
    )
    return tf.reshape(warped, [batch, draws, *size, images.shape[-1]])


def sample_with_gather(
    images: tf.Tensor,
    rows: tf.Tensor,
    size: Size,
    fill: str = "black",
    interpolation: str = "bilinear",
    is_affine: bool = False,
) -> tf.Tensor:
    """Samples along `rows` in plain TensorFlow; arguments and result as `sample_with_op`.

    Where `is_affine`, the last two numbers of all rows are 0, which saves a division per pixel.
    """
    y, x = tf.meshgrid(
        tf.range(size[0], dtype=rows.dtype), tf.range(size[1], dtype=rows.dtype), indexing="ij"
    )
    a0, a1, a2, b0, b1, b2, c0, c1 = tf.unstack(rows[..., None, None, :], axis=-1)
    height, width = size_of(images)
    from_x, from_y = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2
    if not is_affine:
        depth = c0 * x + c1 * y + 1.0
        from_x, from_y = from_x / depth, from_y / depth
    if interpolation == "nearest":
        from_x, from_y = _rounded(from_x), _rounded(from_y)
    return bilinear(images, _within(from_x, width, fill), _within(from_y, height, fill))


def _rounded(x: tf.Tensor) -> tf.Tensor:
    """Returns the nearest whole numbers, those farther from 0 of halves, as the op does."""
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _within(x: tf.Tensor, size: int | tf.Tensor, fill: str) -> tf.Tensor:
    """Returns the places in [0, size - 1] that show what is seen at x; black is left outside."""
    if fill == "black":
        return x
    size = tf.cast(size, x.dtype)
    if fill == "reflect":  # d c b a | a b c d | d c b a
        x = tf.math.floormod(x + 0.5, 2.0 * size)
        x = tf.minimum(x, 2.0 * size - x) - 0.5
    return tf.clip_by_value(x, 0.0, size - 1.0)


def bilinear(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Reads images at any points; differentiable in the images and the points.

    On whole pixels the derivative with respect to a point is the one-sided one, towards +x, +y.

    Args:
      images: [batch, height, width, channels], a floating type.
      x: columns of the points, [batch, ...], in the images' dtype.
      y: rows of the points, like `x`.

    Returns:
      Values, [batch, ..., channels].
    """
    channels, (height, width) = images.shape[-1], size_of(images)
    squares = tf.reshape(_squares(images), [-1, (height + 1) * (width + 1), 4 * channels + 2])
    height, width = tf.cast(height, x.dtype), tf.cast(width, x.dtype)
    # A frame of zeros: a point outside of it reads as one on it.
    x = tf.clip_by_value(x, -1.0, width)
    y = tf.clip_by_value(y, -1.0, height)
    column = tf.minimum(tf.floor(x), width - 1.0)
    row = tf.minimum(tf.floor(y), height - 1.0)
    # Integers: a float32 does not hold every place of more than 2**24 pixels.
    column, row = tf.cast(column, tf.int32) + 1, tf.cast(row, tf.int32) + 1
    index = row * (tf.cast(width, tf.int32) + 1) + column

    corners = tf.gather(squares, index, batch_dims=1)
    position, upper_left, upper_right, lower_left, lower_right = tf.split(
        corners, [2] + 4 * [channels], axis=-1
    )
    # Not x - column: XLA may compute x twice, with other roundings, and floor would disagree.
    right, down = x[..., None] - position[..., :1], y[..., None] - position[..., 1:]
    upper = upper_left * (1.0 - right) + upper_right * right
    lower = lower_left * (1.0 - right) + lower_right * right
    return upper * (1.0 - down) + lower * down


def _squares(images: tf.Tensor) -> tf.Tensor:
    """Lays the four pixels around every point side by side, so that one read fetches them.

    The search warps the same image k times; this is done once for all of them.

    Returns:
      [batch, height + 1, width + 1, 2 + 4 channels]: the (column, row) of the upper left pixel,
      then the upper left, upper right, lower left and lower right pixel; from column and row -1.
    """
    height, width = size_of(images)
    rows, columns = tf.meshgrid(
        tf.range(-1, height, dtype=images.dtype),
        tf.range(-1, width, dtype=images.dtype),
        indexing="ij",
    )
    position = tf.stack([columns, rows], axis=-1)
    position = tf.repeat(position[None], tf.shape(images)[0], axis=0)
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    upper, lower = padded[:, :-1], padded[:, 1:]
    return tf.concat(
        [position, upper[:, :, :-1], upper[:, :, 1:], lower[:, :, :-1], lower[:, :, 1:]], axis=-1
    )
