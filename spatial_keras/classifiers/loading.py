"""Classifiers from files, and what tells one from another."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers.exported import ExportedFile
from spatial_keras.classifiers.keras_file import KerasFile
from spatial_keras.classifiers.saved_model import SavedModel
from spatial_keras.support import files


def load(path: str | os.PathLike, unsafe: bool = False) -> Callable[..., tf.Tensor]:
    """Returns the classifier that a file or folder holds.

    Args:
      path: a `.keras` or `.h5` file of Keras, the folder of a SavedModel, a `.tflite` file of
        TensorFlow Lite, or an `.onnx` file, for which the package onnxruntime has to be there.
      unsafe: whether to load a model that holds more than what is known to be harmless, such as a
        Lambda layer, and so may run code of whoever wrote it.

    Returns:
      A Keras model (of a RobustModel its classifier), the SavedModel's signature
      `serving_default` as a function of images, or an `ExportedModel`, a function of arrays.

    Raises:
      ValueError: there is none, it cannot be read, or it may run code.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise ValueError(f"model '{path}' does not exist.")
    saved_model = (path / "saved_model.pb").exists()
    kinds: dict[str, type[Any]] = {
        ".keras": KerasFile,
        ".h5": KerasFile,
        ".tflite": ExportedFile,
        ".onnx": ExportedFile,
    }
    if not saved_model and path.suffix not in kinds:
        raise ValueError(
            f"model '{path}' must be a .keras, .h5, .tflite or .onnx file or the folder of a "
            "SavedModel."
        )
    kind = SavedModel(path) if saved_model else kinds[path.suffix](path)
    with files.failures_in_one_line(
        f"model '{path}' cannot be read; a file of another version of its library may not be"
    ):
        found = [] if unsafe else kind.dangers()
        if not found:
            model = kind.load(unsafe)
    if found:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise ValueError(
            f"model '{path}' is not loaded: it holds {shown}, which is not known to be harmless, "
            "and may run code of whoever wrote it; if you trust them, give --unsafe (in Python "
            "unsafe=True)."
        )
    # The class that has just been read, which a room further up registers.
    robust_model = tf.keras.utils.get_registered_object("spatial_keras>RobustModel")
    return model.classifier if robust_model and isinstance(model, robust_model) else model


def fingerprint(model: Callable[..., tf.Tensor]) -> str:
    """Returns a hash of a model's layers and weights, which tells whether a result is of it.

    Args:
      model: a tf.keras.Model, or what `load` returned. Of other functions nothing is known.
    """
    if hasattr(model, "get_weights"):
        weights = model.get_weights()
    else:
        weights = [variable.numpy() for variable in getattr(model, "variables", ())]
    # The kinds of layers and their activations: models that differ in these may share weights.
    kinds = [
        (type(layer).__name__, getattr(getattr(layer, "activation", None), "__name__", ""))
        for layer in getattr(model, "layers", ())
    ]
    digest = hashlib.sha256(repr(kinds).encode() + getattr(model, "digest", "").encode())
    for weight in weights:
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
