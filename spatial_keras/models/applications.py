"""The networks of tf.keras.applications, made to take pixel values 0..255 and to give logits."""

from __future__ import annotations

import inspect
import os
import pathlib
import sys
import warnings
from collections.abc import Callable

import h5py
import numpy as np
import tensorflow as tf

from spatial_keras.support import compat, files, validation

layers = tf.keras.layers

PREFIX = "keras:"
# Of these classes are the weights that others publish.
_IMAGENET_CLASSES = 1000
# Where Keras fetches the weights itself, it scales the images of these otherwise than elsewhere.
_OWN_SCALING = "EfficientNetB"


def names() -> tuple[str, ...]:
    """Returns "keras:" and the name of each network that this version of Keras has and can load."""
    module = tf.keras.applications
    found = [name for name in sorted(dir(module)) if inspect.isfunction(getattr(module, name))]
    return tuple(
        f"{PREFIX}{name}" for name in found if not name.startswith(compat.UNREADABLE_NETWORKS)
    )


def application(
    name: str,
    num_classes: int = 10,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    weights: str | os.PathLike | None = None,
) -> tf.keras.Model:
    """Builds a network of tf.keras.applications with its preprocessing inside.

    All layers are Keras's own, so a saved classifier loads without this package. Grey images are
    repeated in three channels, as published weights are for colours.

    Args:
      name: "keras:" and a name of tf.keras.applications, e.g. "keras:MobileNetV3Small".
      num_classes: the number of classes, at least 1.
      input_shape: (height, width, channels), of 1 or 3 channels.
      weights: an HDF5 file (.h5) of the network's weights, as its `save_weights` or Keras's own
        `weights="imagenet"` leave it; None draws them. From a file of ImageNet's 1000 classes all
        but the last layer is taken where there are other classes; a warning says so.

    Returns:
      A functional model: pixel values 0..255, [batch, *input_shape] -> logits, float32
      [batch, num_classes].

    Raises:
      ValueError: there is no such network, it cannot take such images, or the weights do not fit.
    """
    validation.check_name("model", name, names())
    validation.check_integer("num_classes", num_classes, 1)
    height, width, channels = input_shape
    if channels not in (1, 3):
        raise ValueError(f"{name} takes images of 1 or 3 channels, got {channels}.")
    make = getattr(tf.keras.applications, name.removeprefix(PREFIX))

    def build(classes: int) -> tf.keras.Model:
        return make(
            include_top=True,
            weights=None,
            input_shape=(height, width, 3),
            classes=classes,
            classifier_activation=None,
        )

    network = build(num_classes) if weights is None else _trained(name, build, num_classes, weights)
    inputs = layers.Input(input_shape, name="images")
    x = layers.Concatenate()([inputs] * 3) if channels == 1 else inputs
    logits = network(_preprocessed(x, sys.modules[make.__module__].preprocess_input))
    # Of the network's own type they would have 16 bits under mixed precision.
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)
    return tf.keras.Model(inputs, logits, name=make.__name__)


def _preprocessed(x: tf.Tensor, preprocess: Callable[[np.ndarray], np.ndarray]) -> tf.Tensor:
    """Applies layers that do what the network's `preprocess_input` does, in float32.

    Which is an affine map of each pixel's colour, and so is known by where it takes four colours.
    """
    colors = np.concatenate([np.zeros([1, 3]), np.eye(3)]).astype(np.float32)
    found = np.array(preprocess(colors.reshape(4, 1, 1, 3))).reshape(4, 3)
    offset, matrix = found[0], found[1:] - found[0]
    if (offset == 0).all() and (matrix == np.eye(3)).all():
        return x
    if (matrix == np.diag(np.diag(matrix))).all():
        scale = np.diag(matrix).tolist()
        return layers.Rescaling(scale, offset.tolist(), dtype="float32", name="preprocess")(x)
    # To blue, green and red: there is no other layer of Keras's that exchanges channels.
    exchange = layers.Conv2D(3, 1, trainable=False, dtype="float32", name="preprocess")
    x = exchange(x)
    exchange.set_weights([matrix.reshape(1, 1, 3, 3), offset])
    return x


def _trained(
    name: str,
    build: Callable[[int], tf.keras.Model],
    num_classes: int,
    path: str | os.PathLike,
) -> tf.keras.Model:
    """Returns the network with the weights in a file, but for the last layer if that is other."""
    path = pathlib.Path(path)
    if name.startswith(f"{PREFIX}{_OWN_SCALING}"):
        raise ValueError(f"{name} takes no --weights; take keras:EfficientNetV2B0 or the like.")
    if not path.is_file():
        raise ValueError(f"--weights: there is no file '{path}'.")
    if path.suffix != ".h5":
        raise ValueError(f"--weights must be an HDF5 file, .h5, got '{path}'.")
    with files.failures_in_one_line(f"weights '{path}' cannot be read"):
        held = _numbers_in(path)
    network = build(num_classes)
    of_class = sum(map(np.size, _head(network).get_weights())) // num_classes
    own = sum(np.size(weight) for weight in network.get_weights() if _is_float(weight))
    if held == own:
        return _load(network, path)
    if held != own + (_IMAGENET_CLASSES - num_classes) * of_class:
        raise ValueError(
            f"weights '{path}' do not fit {name}: they are {held:,} numbers, the network with "
            f"{num_classes} classes has {own:,}."
        )
    others = _load(build(_IMAGENET_CLASSES), path).get_weights()
    weights = zip(network.get_weights(), others)
    network.set_weights([old if old.shape != new.shape else new for old, new in weights])
    warnings.warn(
        f"the last layer of {name} starts anew: the weights are of {_IMAGENET_CLASSES} classes, "
        f"the data of {num_classes}.",
        stacklevel=4,
    )
    return network


def _head(network: tf.keras.Model) -> tf.keras.layers.Layer:
    return [layer for layer in network.layers if layer.get_weights()][-1]


def _is_float(array: np.ndarray) -> bool:
    return np.issubdtype(array.dtype, np.floating)


def _numbers_in(path: pathlib.Path) -> int:
    """Returns how many floating numbers of a network a file holds, without reading them."""
    total = 0

    def add(name: str, entry: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if not isinstance(entry, h5py.Dataset) or name.startswith("optimizer"):
            return
        if entry.external or entry.is_virtual:
            raise ValueError("its numbers lie in other files")
        total += entry.size if _is_float(entry) else 0

    with h5py.File(path) as file:
        file.visititems(add)  # which follows no link out of the file
    return total


def _load(network: tf.keras.Model, path: pathlib.Path) -> tf.keras.Model:
    with files.failures_in_one_line(f"weights '{path}' do not fit {network.name}"):
        network.load_weights(path)
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise ValueError(f"weights '{path}' hold NaN or infinite numbers.")
    return network
