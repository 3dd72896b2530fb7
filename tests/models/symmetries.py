"""The symmetries of the grid and group convolutions in NumPy, written from their definitions."""

from __future__ import annotations

import functools

import numpy as np

# K[g, s], the slot of the inverse of g followed by s, as published.
GOLDEN = np.array([
    [int(slot) for slot in row]
    for row in "01234567 30125674 23016745 12307456 45670123 56743012 67452301 74561230".split()
])  # fmt: skip


@functools.cache
def matrix(slot):
    """What a group element does to (row, column): quarter turns, then flipped rows."""
    turn = np.array([[0, -1], [1, 0]])
    return np.diag([-1 if slot >= 4 else 1, 1]) @ np.linalg.matrix_power(turn, slot % 4)


def slot_of(element):
    (slot,) = [slot for slot in range(8) if np.array_equal(matrix(slot), element)]
    return slot


@functools.cache
def relative(g, s):
    """The slot of the inverse of g followed by s, from the matrices; orthogonal ones, these."""
    return slot_of(matrix(g).T @ matrix(s))


def transform_images(images, g):
    """Transforms [batch, height, width, ...]."""
    turned = np.rot90(images, g % 4, axes=(1, 2))
    return np.ascontiguousarray(turned[:, ::-1] if g >= 4 else turned)


def transform_features(features, g):
    """Transforms [batch, height, width, slots, channels]: the pixels and the slots."""
    slots = GOLDEN[g, : features.shape[3]]
    return transform_images(features[:, :, :, slots], g)


def group_conv(features, kernel, bias, slots, stride=1):
    """Sums over the definition: y[s, x] = sum over t, z of f[t, x + z] w[g_s^-1 z, K[s, t]]."""
    if features.ndim == 4:
        features, kernel = features[:, :, :, None], kernel[:, :, None]
    border = kernel.shape[0] // 2
    height, width, before = features.shape[1:4]
    padded = np.pad(features, [(0, 0), (border,) * 2, (border,) * 2, (0, 0), (0, 0)])
    output = np.zeros([len(features), height, width, slots, kernel.shape[-1]]) + bias
    for s in range(slots):
        for z in np.ndindex(kernel.shape[:2]):
            row, column = matrix(s).T @ (np.array(z) - border) + border
            shifted = padded[:, z[0] : z[0] + height, z[1] : z[1] + width]
            for t in range(before):
                source = relative(s, t) if before > 1 else 0
                output[:, :, :, s] += shifted[:, :, :, t] @ kernel[row, column, source]
    return output[:, ::stride, ::stride]
