"""Any classifier as a function from grey levels to logits."""

from __future__ import annotations

import hashlib
import inspect
import os
import pathlib
import textwrap
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from spatial_keras.evaluation import safety
from spatial_keras.support import validation
from spatial_keras.training.robust_model import RobustModel

OUTPUTS = ("auto", "logits", "probabilities")
_SMALLEST_PROBABILITY = 1e-30


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
    try:
        found = [] if unsafe else safety.dangers(path)
        model = None if found else _read(path, saved_model, unsafe)
    except Exception as error:  # the readers of a damaged file raise all kinds
        # Keras's message may hold the whole configuration.
        cause = textwrap.shorten(str(error), 200, placeholder=" ...")
        raise ValueError(
            f"model '{path}' cannot be read; a file of another version of Keras may not be "
            f"({cause})."
        ) from error
    if found:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise ValueError(
            f"model '{path}' is not loaded: it holds {shown}, which may run code of whoever wrote "
            "it; if you trust them, give --unsafe (in Python unsafe=True)."
        )
    return model.classifier if isinstance(model, RobustModel) else model


def _read(path: pathlib.Path, saved_model: bool, unsafe: bool) -> Callable[..., tf.Tensor]:
    if saved_model:
        return _saved_model(path)
    return tf.keras.models.load_model(path, compile=False, safe_mode=not unsafe)


def _saved_model(path: pathlib.Path) -> Callable[..., tf.Tensor]:
    loaded = tf.saved_model.load(str(path))
    signatures = list(loaded.signatures)
    name = validation.check_name("signature", "serving_default", signatures)
    signature = loaded.signatures[name]
    ((argument, spec),) = signature.structured_input_signature[1].items()

    def classify(images: tf.Tensor, training: bool = False) -> tf.Tensor:
        (outputs,) = signature(**{argument: tf.cast(images, spec.dtype)}).values()
        return outputs

    # A signature needs the object that it came from.
    classify.loaded, classify.variables = loaded, signature.variables
    return classify


class Classifier:
    """Gives logits for grey levels, whatever scaling and outputs the wrapped model has.

    Args:
      model: a tf.keras.Model, or a function of images [batch, height, width, channels], that gives
        logits or probabilities [batch, classes].
      input_shape: (height, width, channels) of the images.
      input_range: what the model expects for black (grey level 0) and white (255); grey levels
        are scaled linearly.
      outputs: "logits", "probabilities", or "auto": probabilities are told by lying in [0, 1]
        with sum 1, and taken for the softmax of their logarithms.

    Attributes:
      num_classes: the number of classes.
      notes: what a reader of the results should know, e.g. that the outputs are probabilities.

    Raises:
      ValueError: the model cannot take such images, or does not give one finite number for each of
        two classes or more.
    """

    def __init__(
        self,
        model: Callable[..., tf.Tensor],
        input_shape: tuple[int, int, int],
        input_range: tuple[float, float] = (0.0, 255.0),
        outputs: str = "auto",
    ) -> None:
        self._model, self._options = model, _options(model)
        low, high = _range(input_range)
        self._low, self._scale = low, (high - low) / 255
        validation.check_name("outputs", outputs, OUTPUTS)
        probe = self._probe(input_shape)
        self.num_classes = probe.shape[1]
        looks = bool((probe >= 0).all() and np.abs(probe.sum(axis=1) - 1).max() < 1e-3)
        self._probabilities = looks if outputs == "auto" else outputs == "probabilities"
        if self._probabilities and not looks:
            raise ValueError("the classifier's outputs are not probabilities, which sum to 1.")
        self.notes = self._output_notes(outputs, looks)

    def _output_notes(self, outputs: str, looks: bool) -> list[str]:
        if outputs == "logits" and looks:
            return ["The classifier's outputs, taken for logits, look like probabilities."]
        if outputs == "auto" and looks:
            return ["The classifier gives probabilities; their logarithms are taken for logits."]
        return []

    def _probe(self, input_shape: tuple[int, int, int]) -> np.ndarray:
        """Returns the outputs for a black, a white and a noisy image."""
        expected = getattr(self._model, "input_shape", None)
        noise = np.random.default_rng(0).integers(0, 256, input_shape)
        images = np.stack([np.zeros(input_shape), np.full(input_shape, 255), noise])
        shown = " x ".join(str(size) for size in input_shape)
        if expected is not None and not tf.TensorShape(expected[1:]).is_compatible_with(
            input_shape
        ):
            wanted = " x ".join("any" if size is None else str(size) for size in expected[1:])
            raise ValueError(f"the classifier takes images of {wanted}, got {shown}.")
        try:
            outputs = np.asarray(self._outputs(tf.constant(images, tf.float32)))
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise ValueError(f"the classifier cannot take images of {shown}: {error}") from error
        if outputs.ndim != 2 or outputs.shape[1] < 2:
            raise ValueError(
                "the classifier must give [batch, classes] with at least 2 classes, "
                f"got {list(outputs.shape)} for {len(images)} images."
            )
        if not np.isfinite(outputs).all():
            raise ValueError("the classifier gives NaN or infinite outputs.")
        return outputs

    def _outputs(self, images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        outputs = self._model(images * self._scale + self._low, **self._options)
        return tf.cast(outputs, tf.float32)

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits, float32 [batch, classes].

        Args:
          images: grey levels 0..255, [batch, height, width, channels].
          training: must be False.
        """
        # A SavedModel may not say how many classes it has.
        outputs = tf.ensure_shape(self._outputs(images), [None, self.num_classes])
        if self._probabilities:
            return tf.math.log(tf.maximum(outputs, _SMALLEST_PROBABILITY))
        return outputs


def _range(values: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(values, (tuple, list)) or len(values) != 2 or values[0] == values[1]:
        raise ValueError(f"input_range must be two different numbers, got {values!r}.")
    return tuple(validation.check_range("input_range", value) for value in values)


def _options(model: Callable[..., tf.Tensor]) -> dict[str, bool]:
    """Returns what a model is called with besides the images; a plain function takes no more."""
    keras_model = isinstance(model, tf.keras.layers.Layer)
    takes_training = keras_model or "training" in inspect.signature(model).parameters
    return {"training": False} if takes_training else {}


def fingerprint(model: Callable[..., tf.Tensor]) -> str:
    """Returns a hash of a model's weights, which tells whether a result is of this model.

    Args:
      model: a tf.keras.Model, or what `load` returned. Of other functions nothing is known.
    """
    if hasattr(model, "get_weights"):
        weights = model.get_weights()
    else:
        weights = [variable.numpy() for variable in getattr(model, "variables", ())]
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
