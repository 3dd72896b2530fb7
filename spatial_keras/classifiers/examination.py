"""What a classifier takes and gives, examined in one place for training and evaluation alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers.outputs import (
    Outputs,
    outputs_by_graph,
    outputs_by_structure,
    outputs_by_values,
    several_outputs,
)

# Sizes of the images that a model is tried on where it takes any.
_ANY_SIZE, _ANY_CHANNELS = 32, 3
_MOST_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class Examination:
    """What is known of a Keras classifier before it is trained.

    Attributes:
      input_shape: (height, width, channels) of the images it takes; None where any.
      outputs: what its outputs are.
      num_classes: the number of classes.
    """

    input_shape: tuple[int | None, ...]
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
    if has_preprocessor(classifier):  # which takes images of any size
        shape = (None, None, shape[2])
    outputs, num_classes = outputs_by_structure(classifier), None
    if outputs is not None:
        num_classes = classifier.outputs[0].shape[-1]
    if num_classes is None:
        by_graph, values = _try(classifier, shape)
        outputs = outputs or by_graph or outputs_by_values(values)
        num_classes = values.shape[1]
    if outputs is None:
        raise ValueError(
            "whether the classifier's one unit gives a probability or a logit is not clear: end it "
            "in tf.keras.layers.Activation('sigmoid'), or ('linear')."
        )
    return Examination(shape, outputs, 2 if outputs.single else num_classes)


def prepared(model: Any, images: tf.Tensor) -> tf.Tensor:
    """Returns images as a model is called with them.

    Models of KerasHub have a preprocessor, which only `fit` and `predict` apply.

    Raises:
      ValueError: it gives something else than images.
    """
    if not has_preprocessor(model):
        return images
    given = model.preprocessor(images)
    if not tf.is_tensor(given):
        raise ValueError(
            "the classifier's preprocessor must give images alone, it gives "
            f"{type(given).__name__}."
        )
    return given


def has_preprocessor(model: Any) -> bool:
    """Returns whether what a model is called with is not the images themselves."""
    return callable(getattr(model, "preprocessor", None))


def check_fits(classifier: Any, input_shape: tuple[int, ...], num_classes: int) -> None:
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


def _image_shape(classifier: tf.keras.Model) -> tuple[int | None, ...]:
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
    if height is None or channels is None or not height <= _MOST_CHANNELS < channels:
        return
    raise ValueError(
        f"{who} images of {' x '.join(map(str, shape))}, which looks like channels first: images "
        "must be [batch, height, width, channels]; a classifier of the other layout is wrapped in "
        "a model that begins with tf.keras.layers.Permute((3, 1, 2))."
    )


def _try(
    classifier: tf.keras.Model, shape: tuple[int | None, ...]
) -> tuple[Outputs | None, np.ndarray]:
    """Returns what the graph tells of the outputs, and those for three images."""
    size = [known or any_ for known, any_ in zip(shape, (_ANY_SIZE, _ANY_SIZE, _ANY_CHANNELS))]
    images = tf.constant(made_up_images(size), tf.float32)
    symbolic = []

    @tf.function
    def classify() -> list[tf.Tensor]:
        outputs = tf.nest.flatten(classifier(prepared(classifier, images), training=False))
        symbolic.extend(outputs)
        return outputs

    outputs = classify()
    if len(outputs) > 1:
        raise ValueError(several_outputs(range(len(outputs))))
    values = outputs[0].numpy()
    if values.ndim != 2 or len(values) != len(images):
        raise ValueError(
            f"the classifier must give [batch, classes], it gives {list(values.shape)} for "
            f"{len(images)} images."
        )
    return outputs_by_graph(symbolic[0]), values


def made_up_images(shape: Sequence[int]) -> np.ndarray:
    """Returns a black, a white and a noisy image."""
    noise = np.random.default_rng(0).integers(0, 256, shape)
    return np.stack([np.zeros(shape), np.full(shape, 255), noise])
