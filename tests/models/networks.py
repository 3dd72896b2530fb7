"""What the tests of all networks share: images, weights, and layers in float64 NumPy."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

layers = tf.keras.layers


def layers_of(model, kind):
    """Layers of one kind, from the input to the output: none of these lies on a shortcut."""
    return [layer for layer in model.layers if isinstance(layer, kind)]


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def smooth_images(count, side, channels):
    """Sums of broad waves in 0..1, which bilinear interpolation hardly changes."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:side, :side] / side
    shape = (6, count, 1, 1, channels)
    waves = rng.uniform(-1, 1, shape) * x[..., None] + rng.uniform(-1, 1, shape) * y[..., None]
    return (0.5 + np.cos(2 * np.pi * (waves + rng.uniform(size=shape))).mean(0) / 2).astype(
        np.float32
    )


def randomize(model):
    """Gives every weight a value that a mistake in the structure would show."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, tf.keras.Model):
            randomize(layer)
            continue
        shapes = [weight.shape for weight in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            # gamma, beta, moving mean, moving variance
            values = [rng.uniform(*limits, s) for limits, s in
                      zip([(0.5, 1.5), (-0.5, 0.5), (-1, 1), (0.2, 2)], shapes)]  # fmt: skip
        else:
            values = [rng.normal(0, np.sqrt(2 / max(1, np.prod(s[:-1]))), s) for s in shapes]
        layer.set_weights(values)
    return model


def part(model, name):
    """The model from its input to the layer of this name."""
    return tf.keras.Model(model.inputs[0], model.get_layer(name).output)


def counted(model):
    """How many numbers are trained, and how many are not."""
    kinds = (model.trainable_weights, model.non_trainable_weights)
    return tuple(sum(int(np.prod(weight.shape)) for weight in weights) for weights in kinds)


class NumpyNetwork:
    """Layers in float64 NumPy, written from their descriptions, with a model's weights in order."""

    def __init__(self, model):
        def weights(kind):
            return iter([
                [value.astype(np.float64) for value in layer.get_weights()]
                for layer in layers_of(model, kind)
            ])  # fmt: skip

        self.convs = weights(layers.Conv2D)
        self.norms = weights(layers.BatchNormalization)
        (self.dense,) = weights(layers.Dense)

    def standardize(self, images):
        deviation = np.maximum(images.std(axis=(1, 2, 3)), 1 / np.sqrt(images[0].size))
        return (images - images.mean(axis=(1, 2, 3), keepdims=True)) / deviation[
            :, None, None, None
        ]

    def norm(self, x):
        gamma, beta, mean, variance = next(self.norms)
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    def conv(self, x, stride=1):
        (kernel,) = next(self.convs)
        out_height, out_width = (-(-size // stride) for size in x.shape[1:3])
        # Zeros as TensorFlow's SAME: as few as possible, the odd one after.
        missing = [(-(-size // stride) - 1) * stride + 3 - size for size in x.shape[1:3]]
        x = np.pad(x, [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)])
        return sum(
            x[:, i:, j:][:, ::stride, ::stride][:, :out_height, :out_width] @ kernel[i, j]
            for i in range(3)
            for j in range(3)
        )

    def classify(self, x):
        kernel, bias = self.dense
        assert next(self.convs, None) is next(self.norms, None) is None
        return x.mean(axis=(1, 2)) @ kernel + bias


def pool(x, stride, reduce):
    """Reduces squares to a number; those beyond an odd border hold fewer pixels."""
    rows = [x[:, i : i + stride] for i in range(0, x.shape[1], stride)]
    columns = range(0, x.shape[2], stride)
    squares = [[reduce(row[:, :, j : j + stride], axis=(1, 2)) for j in columns] for row in rows]
    return np.moveaxis(np.array(squares), 2, 0)
