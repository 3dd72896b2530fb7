"""What a classifier takes and gives, examined in one place for training and evaluation alike."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.support import compat

_SMALLEST_PROBABILITY = 1e-30
# How far from 1 the probabilities of a model in 16 bits may add up to.
_SUM_TOLERANCE = {"float16": 1e-2, "bfloat16": 5e-2}
# Sizes of the images that a model is tried on where it takes any.
_ANY_SIZE, _ANY_CHANNELS = 32, 3
_MOST_CHANNELS = 4


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


@dataclasses.dataclass(frozen=True)
class Examination:
    """What is known of a Keras classifier before it is trained.

    Attributes:
      input_shape: (height, width, channels) of the images it takes; None where any.
      outputs: what its outputs are.
      num_classes: the number of classes.
    """

    input_shape: tuple[int | None, int | None, int | None]
    outputs: Outputs
    num_classes: int


def examine(classifier: Any) -> Examination:
    """Examines a classifier that is to be trained.

    What its outputs are is told by its last layer; where that leaves it open, by the outputs for
    a few images.

    Raises:
      TypeError: it is no Keras model.
      ValueError: it has no weights yet, or does not give [batch, classes] for one batch of images.
    """
    if not isinstance(classifier, tf.keras.Model):
        raise TypeError(
            f"the classifier must be a tf.keras.Model, got {type(classifier).__name__}; of what is "
            "none only the robustness can be evaluated."
        )
    if not classifier.built:
        raise ValueError(
            "the classifier has no weights yet: call it on a batch of images, or build it with "
            "their shape, before it is wrapped."
        )
    shape = _image_shape(classifier)
    outputs, num_classes = outputs_by_structure(classifier), None
    if outputs is not None:
        num_classes = classifier.outputs[0].shape[-1]
    if num_classes is None:
        tried = _try(classifier, shape)
        outputs, num_classes = (
            outputs_by_values(tried) if outputs is None else outputs,
            len(tried[0]),
        )
    return Examination(shape, outputs, 2 if outputs.single else num_classes)


def check_fits(classifier: Any, input_shape: tuple[int, int, int], num_classes: int) -> None:
    """Raises ValueError if a classifier is for other images or another number of classes."""
    found = examine(classifier)
    if not tf.TensorShape(found.input_shape).is_compatible_with(input_shape):
        wanted, given = (
            " x ".join("any" if size is None else str(size) for size in shape)
            for shape in (found.input_shape, input_shape)
        )
        raise ValueError(f"the classifier takes images of {wanted}, got {given}.")
    if found.num_classes != num_classes:
        raise ValueError(
            f"the classifier has {found.num_classes} classes, the data have {num_classes}."
        )


def input_shapes(model: Any) -> list[tuple[int | None, ...]]:
    """Returns the shape of each input of a Keras model; none where it does not tell."""
    shape = getattr(model, "input_shape", None)
    if shape is None and hasattr(model, "get_build_config"):
        shape = (model.get_build_config() or {}).get("input_shape")
    if shape is None:
        return []
    if isinstance(shape, dict):
        shape = list(shape.values())
    # A single shape that was saved comes back as a list, too.
    several = all(isinstance(each, (tuple, list)) for each in shape)
    return [tuple(each) for each in shape] if several else [tuple(shape)]


def _image_shape(classifier: tf.keras.Model) -> tuple[int | None, int | None, int | None]:
    shapes = input_shapes(classifier)
    if len(shapes) > 1:
        raise ValueError(
            f"the classifier must take one batch of images, it takes {len(shapes)} inputs."
        )
    shape = shapes[0] if shapes else (None,) * 4
    if len(shape) != 4:
        raise ValueError(
            f"the classifier must take images [batch, height, width, channels], it takes {shape}."
        )
    check_layout("the classifier takes", shape[1:])
    return tuple(shape[1:])


def check_layout(who: str, shape: tuple[int | None, ...]) -> None:
    """Raises ValueError if an image's shape looks like (channels, height, width).

    Args:
      who: what has the shape, for the message, e.g. "the classifier takes".
      shape: to be (height, width, channels).
    """
    height, width, channels = shape
    if None in (height, channels) or not (height <= _MOST_CHANNELS < channels):
        return
    raise ValueError(
        f"{who} images of {' x '.join(map(str, shape))}, which looks like channels first: images "
        "must be [batch, height, width, channels]; a classifier of the other layout is wrapped in "
        "a model that begins with tf.keras.layers.Permute((3, 1, 2))."
    )


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
    single = shape[-1] == 1
    if name == "sigmoid" and not single:
        raise ValueError(
            f"the classifier ends in {shape[-1]} sigmoid units, a yes or no for each class: for "
            "one class out of several it must end in a softmax, or in logits."
        )
    if name == "softmax" and single:
        raise ValueError("the classifier ends in a softmax over one unit, which is always 1.")
    known = {
        "softmax": Outputs(True),
        "sigmoid": Outputs(True, True),
        "linear": Outputs(False, single),
    }
    return known.get(name)


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


def outputs_by_values(values: np.ndarray) -> Outputs:
    """Returns what outputs [images, classes] are: probabilities lie in [0, 1] with sum 1."""
    single = values.shape[1] == 1
    return Outputs(look_like_probabilities(values), single)


def look_like_probabilities(values: np.ndarray) -> bool:
    """Returns whether outputs [images, classes] lie in [0, 1] and, if several, add up to 1."""
    tolerance = _SUM_TOLERANCE.get(values.dtype.name, 1e-3)
    values = values.astype(np.float32)
    if not (values >= 0).all() or not (values <= 1 + tolerance).all():
        return False
    return values.shape[1] == 1 or bool(np.abs(values.sum(axis=1) - 1).max() < tolerance)


def _try(classifier: tf.keras.Model, shape: tuple[int | None, ...]) -> np.ndarray:
    """Returns the outputs for a black, a white and a noisy image."""
    size = [known or any_ for known, any_ in zip(shape, (_ANY_SIZE, _ANY_SIZE, _ANY_CHANNELS))]
    noise = np.random.default_rng(0).integers(0, 256, size)
    images = np.stack([np.zeros(size), np.full(size, 255), noise]).astype(np.float32)
    outputs = tf.nest.flatten(classifier(tf.constant(images), training=False))
    if len(outputs) > 1:
        raise ValueError(several_outputs(range(len(outputs))))
    values = np.asarray(outputs[0])
    if values.ndim != 2 or len(values) != len(images):
        raise ValueError(
            f"the classifier must give [batch, classes], it gives {list(values.shape)} for "
            f"{len(images)} images."
        )
    return values
