"""Oracles that share no code with the library: warps, losses and derivatives in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

PROBABILITY_FLOOR = 1e-8


def canvas_warp(images: np.ndarray, parameters: np.ndarray, padding: int = 16) -> np.ndarray:
    """The original's warp: pad with zeros, rotate, then shift, then crop.

    Args:
      images: [batch, height, width, channels].
      parameters: [batch, 3], tx and ty in pixels, rotation in degrees.
      padding: pixels on every side; 16 makes a canvas of 64x64 from an image of 32x32.

    Returns:
      float64 [batch, height, width, channels].
    """
    return np.stack([_canvas_warp(*pair, padding) for pair in zip(images, parameters)])


def _canvas_warp(image: np.ndarray, parameters: np.ndarray, padding: int) -> np.ndarray:
    tx, ty, degrees = np.asarray(parameters, np.float64)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    canvas = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
    last_x, last_y = canvas.shape[1] - 1, canvas.shape[0] - 1
    offset_x = (last_x - (cos * last_x - sin * last_y)) / 2
    offset_y = (last_y - (sin * last_x + cos * last_y)) / 2
    canvas = projective_transform(canvas, (cos, -sin, offset_x, sin, cos, offset_y, 0, 0))
    canvas = projective_transform(canvas, (1, 0, -tx, 0, 1, -ty, 0, 0))
    return canvas[padding:-padding, padding:-padding]


def projective_transform(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    """ImageProjectiveTransform, bilinear, 0 outside: an output point shows the input at `row`."""
    a0, a1, a2, b0, b1, b2, c0, c1 = row
    out_y, out_x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    scale = c0 * out_x + c1 * out_y + 1
    x, y = (a0 * out_x + a1 * out_y + a2) / scale, (b0 * out_x + b1 * out_y + b2) / scale
    left, top = np.floor(x), np.floor(y)
    right, down = (x - left)[..., None], (y - top)[..., None]
    upper = (1 - right) * _read(image, left, top) + right * _read(image, left + 1, top)
    lower = (1 - right) * _read(image, left, top + 1) + right * _read(image, left + 1, top + 1)
    return (1 - down) * upper + down * lower


def _read(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column, row = np.where(inside, x, 0).astype(int), np.where(inside, y, 0).astype(int)
    return np.where(inside[..., None], image[row, column].astype(np.float64), 0)


def joint_warp(images: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Rotates and shifts with one interpolation, by SciPy; arguments as `canvas_warp`."""
    return np.stack([_joint_warp(*pair) for pair in zip(images, parameters)])


def _joint_warp(image: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    tx, ty, degrees = np.asarray(parameters, np.float64)
    height, width = image.shape[:2]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    # (row, column) of the output relative to the shifted centre -> of the input to the centre.
    turn_back = np.array([[cos, sin], [-sin, cos]])
    center = np.array([(height - 1) / 2, (width - 1) / 2])
    row, column = np.tensordot(
        turn_back,
        np.mgrid[:height, :width] - (center + [ty, tx])[:, None, None],
        axes=1,
    )
    return bilinear(image, column + center[1], row + center[0])


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Reads an image [height, width, channels] at points, 0 outside, by SciPy."""
    padded = np.pad(image.astype(np.float64), [(1, 1), (1, 1), (0, 0)])
    points = [np.asarray(y) + 1, np.asarray(x) + 1]
    channels = [
        ndimage.map_coordinates(padded[..., channel], points, order=1, mode="constant")
        for channel in range(image.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def cross_entropy(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Cross-entropy per example, float64 [batch]."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=-1)) - shifted[np.arange(len(labels)), labels]


def kl_divergence(natural: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """KL(natural || worst) per example, from logits, float64 [batch]."""
    p, q = probabilities(natural), probabilities(worst)
    return (p * np.log(p / q)).sum(axis=-1)


def squared_distance(natural: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """Squared distance between logits per example, float64 [batch]."""
    return (np.subtract(natural, worst, dtype=np.float64) ** 2).sum(axis=-1)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax plus 1e-8, renormalized, float64."""
    logits = np.asarray(logits, np.float64)
    softmax = np.exp(logits - logits.max(axis=-1, keepdims=True))
    raised = softmax / softmax.sum(axis=-1, keepdims=True) + PROBABILITY_FLOOR
    return raised / raised.sum(axis=-1, keepdims=True)


def central_differences(
    function: Callable[[np.ndarray], float], point: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """The gradient of a scalar function at a float64 point, entry by entry."""
    gradient = np.zeros(point.shape)
    for index in np.ndindex(*point.shape):
        offset = np.zeros(point.shape)
        offset[index] = step
        gradient[index] = (function(point + offset) - function(point - offset)) / (2 * step)
    return gradient


def homography(
    parameters: np.ndarray, height: int, width: int, field_of_view: float = 60.0
) -> np.ndarray:
    """How content moves, [3, 3], in pixels from the centre, x to the right, y down.

    Args:
      parameters: tx, ty, rotation, zoom, shear_x, shear_y, pitch, yaw, quarter turns, flip.
      height: of the images.
      width: of the images.
      field_of_view: along the longer side, in degrees.
    """
    tx, ty, degrees, zoom, shear_x, shear_y, pitch, yaw, quarters, flip = parameters
    turn, a, b = np.radians([degrees, pitch, yaw])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    rotation = _turn(turn)
    focal = max(height, width) / 2 / np.tan(np.radians(field_of_view) / 2)
    intrinsic = np.diag([focal, focal, 1])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    tilt = intrinsic @ about_y @ about_x @ np.linalg.inv(intrinsic)
    first = np.array([[1, np.tan(np.radians(shear_x)), 0], [0, 1, 0], [0, 0, 1]])
    then = np.array([[1, 0, 0], [np.tan(np.radians(shear_y)), 1, 0], [0, 0, 1]])
    mirror = np.diag([-1.0 if flip else 1.0, 1, 1])
    scale = np.diag([zoom, zoom, 1])
    quarter = _turn(np.pi / 2 * quarters)
    return shift @ rotation @ tilt @ then @ first @ scale @ mirror @ quarter


def _turn(radians: float) -> np.ndarray:
    cos, sin = np.cos(radians), np.sin(radians)
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def homography_warp(image: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Moves the content of an image [height, width, channels] by SciPy, in float64."""
    return bilinear(image, *homography_points(*image.shape[:2], content))


def homography_points(height: int, width: int, content: np.ndarray) -> tuple[np.ndarray, ...]:
    """The (x, y) in an image that its pixels show when its content has moved; [height, width]."""
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    y, x = np.mgrid[:height, :width]
    points = np.stack([x - center[0], y - center[1], np.ones(x.shape)])
    back = np.tensordot(np.linalg.inv(content), points, axes=1)
    return back[0] / back[2] + center[0], back[1] / back[2] + center[1]
