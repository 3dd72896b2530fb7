"""Classifiers from files, and what tells one from another."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers import safety
from spatial_keras.support import files, validation


def load(path: str | os.PathLike, unsafe: bool = False) -> Callable[..., tf.Tensor]:
    """Returns the classifier that a file or folder holds.

    Args:
      path: a `.keras` or `.h5` file of Keras, or the folder of a SavedModel.
      unsafe: whether to load a model that may run code of whoever wrote it, such as one with a
        Lambda layer.

    Returns:
      A Keras model (of a RobustModel its classifier), or the SavedModel's signature
      `serving_default` as a function of images.

    Raises:
      ValueError: there is none, it cannot be read, or it may run code.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise ValueError(f"model '{path}' does not exist.")
    saved_model = (path / "saved_model.pb").exists()
    if not saved_model and path.suffix not in (".keras", ".h5"):
        raise ValueError(
            f"model '{path}' must be a .keras or .h5 file or the folder of a SavedModel."
        )
    with files.failures_in_one_line(
        f"model '{path}' cannot be read; a file of another version of Keras may not be"
    ):
        found = [] if unsafe else safety.dangers(path)
        model = None if found else _read(path, saved_model, unsafe)
    if found:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise ValueError(
            f"model '{path}' is not loaded: it holds {shown}, which may run code of whoever wrote "
            "it; if you trust them, give --unsafe (in Python unsafe=True)."
        )
    # The class that has just been read, which a room further up registers.
    robust_model = tf.keras.utils.get_registered_object("spatial_keras>RobustModel")
    return model.classifier if robust_model and isinstance(model, robust_model) else model


def _read(path: pathlib.Path, saved_model: bool, unsafe: bool) -> Callable[..., tf.Tensor]:
    if saved_model:
        return _saved_model(path)
    return tf.keras.models.load_model(path, compile=False, safe_mode=not unsafe)


def _saved_model(path: pathlib.Path) -> Callable[..., tf.Tensor]:
    loaded = tf.saved_model.load(str(path))
    signatures = list(loaded.signatures)
    name = validation.check_name("signature", "serving_default", signatures)
    signature = loaded.signatures[name]
    arguments = signature.structured_input_signature[1]
    if len(arguments) > 1:
        raise ValueError(f"it must take images alone, it takes {', '.join(arguments)}")
    ((argument, spec),) = arguments.items()

    def classify(images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return signature(**{argument: tf.cast(images, spec.dtype)})

    # A signature needs the object that it came from.
    classify.loaded, classify.variables = loaded, signature.variables
    return classify


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
    digest = hashlib.sha256(repr(kinds).encode())
    for weight in weights:
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
