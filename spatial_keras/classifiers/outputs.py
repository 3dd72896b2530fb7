"""What the numbers are that a classifier gives: logits or probabilities, of each class or one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.support import compat

_SMALLEST_PROBABILITY = 1e-30
# How far from 1 the probabilities of a model in 16 bits may add up to.
_SUM_TOLERANCE = {"float16": 1e-2, "bfloat16": 5e-2}

# What is known of a tensor from the operation that gives it.
_OPERATIONS = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "BiasAdd": "linear",
    "MatMul": "linear",
    "LogSoftmax": "linear",
}


class NonFiniteError(ValueError):
    """A classifier gives NaN or infinite outputs: its training has diverged."""


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What the numbers are that a classifier gives for an image.

    Attributes:
      probabilities: whether they are probabilities; else logits.
      single: whether there is one number, that of class 1 of two classes.
    """

    probabilities: bool = False
    single: bool = False

    def to_logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns logits [batch, classes], whose softmax is the prediction.

        What went into a final softmax or sigmoid is taken where it can be had, as its slope does
        not vanish where the classifier is certain; else the logarithm.
        """
        if self.probabilities:
            before = compat.before_activation(outputs)
            outputs = _log_odds(outputs, self.single) if before is None else before
        if self.single:
            return tf.concat([tf.zeros_like(outputs), outputs], axis=-1)
        return outputs

    def from_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns what the classifier gives where `to_logits` gives these."""
        if self.single:
            logits = logits[:, 1:] - logits[:, :1]
        if not self.probabilities:
            return logits
        return tf.nn.sigmoid(logits) if self.single else tf.nn.softmax(logits)


def _log_odds(probabilities: tf.Tensor, single: bool) -> tf.Tensor:
    def log(values: tf.Tensor) -> tf.Tensor:
        return tf.math.log(tf.maximum(values, _SMALLEST_PROBABILITY))

    probabilities = tf.cast(probabilities, tf.float32)
    return log(probabilities) - log(1.0 - probabilities) if single else log(probabilities)


def outputs_by_structure(model: Any) -> Outputs | None:
    """Returns what a Keras model gives as its last layer tells; None where it does not.

    Raises:
      ValueError: it has several outputs, or not [batch, classes].
    """
    layer = _last_layer(model)
    if layer is None:
        return None
    if len(model.outputs) > 1:
        raise ValueError(several_outputs(model.output_names))
    shape = tuple(model.outputs[0].shape)
    if len(shape) != 2:
        raise ValueError(f"the classifier must give [batch, classes], it gives {list(shape)}.")
    name = "softmax" if isinstance(layer, tf.keras.layers.Softmax) else _activation(layer)
    return _after(name, shape[-1])


def _after(activation: str | None, width: int | None) -> Outputs | None:
    """Returns what comes out of an activation, of so many units; None where that is not known."""
    single = width == 1
    if activation == "sigmoid" and not single:
        raise ValueError(
            f"the classifier ends in {width} sigmoid units, a yes or no for each class: for "
            "one class out of several it must end in a softmax, or in logits."
        )
    if activation == "softmax" and single:
        raise ValueError("the classifier ends in a softmax over one unit, which is always 1.")
    known: dict[str | None, Outputs] = {
        "softmax": Outputs(True),
        "sigmoid": Outputs(True, True),
        "linear": Outputs(False, single),
    }
    return known.get(activation)


def outputs_by_graph(outputs: tf.Tensor) -> Outputs | None:
    """Returns what a tensor [batch, classes] of a graph is, as the operation that gives it tells.

    Raises:
      ValueError: they are not probabilities of one class out of several.
    """
    operation = outputs.op
    while operation.type == "Identity":
        operation = operation.inputs[0].op
    # Keras 3 adds a Dense layer's bias so.
    if operation.type == "AddV2" and operation.inputs[0].op.type == "MatMul":
        operation = operation.inputs[0].op
    known = _OPERATIONS.get(operation.type)
    return _after(known, outputs.shape[-1]) if known else None


def several_outputs(names: Any) -> str:
    """Returns the message for a classifier of several outputs."""
    return (
        f"the classifier must give one output, it gives {len(names)}: "
        f"{', '.join(map(str, names))}; choose one: Evaluator(..., output=...), or "
        "tf.keras.Model(model.input, model.get_layer(...).output)."
    )


def _last_layer(model: Any) -> tf.keras.layers.Layer | None:
    """Returns the layer that a Sequential or functional model ends with."""
    if not isinstance(model, tf.keras.Model):
        return None
    layer = model
    while isinstance(layer, tf.keras.Model):
        of_ones_own = "call" in vars(type(layer)) and "keras" not in type(layer).__module__
        if of_ones_own or not getattr(layer, "outputs", None):
            return None
        layer = layer.layers[-1] if len(layer.outputs) > 1 else _output_layer(layer)
    return layer


def _output_layer(model: tf.keras.Model) -> tf.keras.layers.Layer:
    names = [layer.name for layer in model.layers]
    name = getattr(model, "output_names", names[-1:])[0]
    return model.layers[names.index(name)] if name in names else model.layers[-1]


def _activation(layer: tf.keras.layers.Layer) -> str | None:
    is_dense = isinstance(layer, (tf.keras.layers.Dense, tf.keras.layers.Activation))
    return getattr(layer.activation, "__name__", None) if is_dense else None


def outputs_by_values(values: np.ndarray) -> Outputs | None:
    """Returns what outputs [images, classes] are: probabilities lie in [0, 1] with sum 1.

    One number for an image that lies in [0, 1] may be either: None.
    """
    single, look_so = values.shape[1] == 1, look_like_probabilities(values)
    return None if single and look_so else Outputs(look_so, single)


def look_like_probabilities(values: np.ndarray) -> bool:
    """Returns whether outputs [images, classes] lie in [0, 1] and, if several, add up to 1."""
    tolerance = _SUM_TOLERANCE.get(values.dtype.name, 1e-3)
    values = values.astype(np.float32)
    if not (values >= 0).all() or not (values <= 1 + tolerance).all():
        return False
    return values.shape[1] == 1 or bool(np.abs(values.sum(axis=1) - 1).max() < tolerance)
