"""Multiply-adds against counts by hand."""

from __future__ import annotations

import pytest
import tensorflow as tf

from spatial_keras import models
from spatial_keras.models.cost import multiply_adds

layers = tf.keras.layers


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (layers.Conv2D(5, 3, padding="same"), 8 * 6 * 5 * 9 * 3),
        (layers.Conv2D(5, (1, 3)), 8 * 4 * 5 * 3 * 3),
        (layers.Conv2D(5, 3, 2, "same"), 4 * 3 * 5 * 9 * 3),
        (layers.Dense(7), 8 * 6 * 3 * 7),
        (layers.Lambda(lambda x: tf.matmul(x, x, transpose_a=True)), 8 * 3 * 3 * 6),
        (layers.Lambda(lambda x: x @ tf.ones([3, 2])), 8 * 6 * 3 * 2),
        (layers.BatchNormalization(), 0),
    ],
)
def test_a_layer(layer, count):
    inputs = tf.keras.Input([8, 6, 3])
    assert multiply_adds(tf.keras.Model(inputs, layer(inputs))) == count


def resnet_by_hand(depth):
    """Of 32x32x3 images: the first convolution, those of the blocks, the dense layer."""
    count, before = 32 * 32 * 16 * 27, 16
    for size, channels in ((32, 16), (16, 32), (8, 64)):
        for _ in range((depth - 2) // 6):
            count += size**2 * channels * 9 * (before + channels)
            before = channels
    return count + 64 * 10


@pytest.mark.parametrize("depth", [8, 32])
def test_a_resnet(depth):
    assert multiply_adds(models.get(f"resnet{depth}")) == resnet_by_hand(depth)
    assert resnet_by_hand(32) == pytest.approx(69e6, rel=0.01)  # as is usual to say
