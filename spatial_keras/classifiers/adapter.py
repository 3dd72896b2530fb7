"""Any classifier as a function from pixel values to logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers.examination import (
    check_layout,
    has_preprocessor,
    input_shapes,
    made_up_images,
    prepared,
)
from spatial_keras.classifiers.images import images_per_pass
from spatial_keras.classifiers.outputs import (
    NonFiniteError,
    Outputs,
    look_like_probabilities,
    outputs_by_graph,
    outputs_by_structure,
    outputs_by_values,
    several_outputs,
)
from spatial_keras.support import files, validation

OUTPUTS = ("auto", "logits", "probabilities")
# How many of the images a classifier is tried on first.
_EXAMPLES = 8
# By how much outputs may differ for the size of a batch alone, of the largest.
_ROUNDING = 1e-5


class Classifier:
    """Gives logits for pixel values, whatever scaling and outputs the wrapped model has.

    What cannot run in a graph of TensorFlow (of scikit-learn, a call of `predict`) is a black box:
    it is called with tensors, or with arrays if it takes no tensors, and has no gradient.

    Args:
      model: a tf.keras.Model, or a function of images [batch, height, width, channels], that gives
        logits or probabilities [batch, classes], or [batch, 1] for two classes.
      input_shape: (height, width, channels) of the images.
      input_range: what the model expects for black (pixel value 0) and white (255); pixel values
        are scaled linearly.
      outputs: "logits", "probabilities", or "auto": the last layer tells, else probabilities are
        detected when in [0, 1] with sum 1.
      output: which of several outputs, its name or number.
      images: pixel values that it is to judge, [n, *input_shape]; a black, a white and a noisy
        image by default. The first are tried; all, where their outputs leave open what they are.

    Attributes:
      num_classes: the number of classes.
      is_black_box: whether it cannot run in a graph.
      depends_on: what the outputs for an image depend on beside the image, such as chance; None if
        on nothing, as it should be.
      notes: what a reader of the results should know, e.g. that the outputs are probabilities.
      tried: the outputs for the first images.

    Raises:
      TypeError: the model cannot be called.
      ValueError: the model cannot take such images, does not give one finite number for each of
        two classes or more, or what these are is not clear.
    """

    def __init__(  # noqa: PLR0913 - in the manner of Evaluator
        self,
        model: Callable[..., tf.Tensor],
        input_shape: tuple[int, ...],
        input_range: Sequence[float] = (0.0, 255.0),
        outputs: str = "auto",
        output: str | int | None = None,
        images: np.ndarray | None = None,
    ) -> None:
        self._model, self._options, self._output = model, _options(model), output
        low, high = _range(input_range)
        self._low, self._scale = low, (high - low) / 255
        validation.check_name("outputs", outputs, OUTPUTS)
        _check_shape(model, input_shape)
        images = made_up_images(input_shape) if images is None else images
        self.tried = self._try(images[:_EXAMPLES])
        self._kind = self._kind_of(outputs, images)
        self.num_classes = 2 if self._kind.single else self.tried.shape[1]
        self.depends_on = self._dependence(images[:_EXAMPLES])
        self.notes = self._make_notes(outputs)

    def _kind_of(self, outputs: str, images: np.ndarray) -> Outputs:
        look_so = look_like_probabilities(self.tried)
        if outputs == "probabilities" and not look_so:
            raise ValueError("the classifier's outputs are not probabilities, which sum to 1.")
        if outputs != "auto":
            return Outputs(outputs == "probabilities", self.tried.shape[1] == 1)
        kind = outputs_by_structure(self._model) if self._output is None else None
        if kind is None and not self.is_black_box:
            kind = outputs_by_graph(self._chosen(self._symbolic))
        if kind is None:
            # What is true of the first images need not be true of all.
            kind = outputs_by_values(self._outputs_of(images) if look_so else self.tried)
        if kind is None:
            raise ValueError(
                "the classifier gives one number in [0, 1] for each image, a probability or a "
                "logit: say which with outputs='probabilities' or outputs='logits'."
            )
        return kind

    def _make_notes(self, outputs: str) -> list[str]:
        notes = []
        if outputs == "logits" and look_like_probabilities(self.tried):
            notes.append("The classifier's outputs, taken for logits, look like probabilities.")
        if outputs == "auto" and self._kind.probabilities:
            notes.append(
                "The classifier gives probabilities; their logarithms are taken for logits."
            )
        if self.is_black_box:
            notes.append("The classifier is a black box: it has no gradient.")
        if self.depends_on:
            notes.append(f"The classifier's outputs for an image depend on {self.depends_on}.")
        return notes

    def _try(self, examples: np.ndarray) -> np.ndarray:
        """Returns the outputs for the examples, and finds the way to call the model."""
        signature = [tf.TensorSpec([None, *examples.shape[1:]], tf.float32)]

        def call(images: tf.Tensor) -> Any:
            self._symbolic = self._call(images)
            return self._symbolic

        traced = tf.function(call, input_signature=signature)
        failures = []
        self._run: Callable[[tf.Tensor], Any]
        self._prepare: Callable[[tf.Tensor], Any]
        ways = ((traced, tf.identity), (self._call, tf.identity), (self._call, np.asarray))
        for self._run, self._prepare in ways:
            self.is_black_box = self._run is not traced
            try:
                given = self._run(tf.constant(examples, tf.float32))
                break
            except Exception as error:
                failures.append(error)
        else:
            shown = " x ".join(str(size) for size in examples.shape[1:])
            cause = files.one_line(failures[1])
            raise ValueError(
                f"the classifier cannot take images of {shown}: {cause}"
            ) from failures[1]
        outputs = np.asarray(self._chosen(given))
        if outputs.ndim != 2 or len(outputs) != len(examples):
            raise ValueError(
                "the classifier must give [batch, classes] with at least 2 classes, "
                f"got {list(outputs.shape)} for {len(examples)} images."
            )
        if not np.isfinite(outputs.astype(np.float32)).all():
            raise NonFiniteError("the classifier gives NaN or infinite outputs.")
        return outputs

    def _outputs_of(self, images: np.ndarray) -> np.ndarray:
        size = images_per_pass(images.shape[1:], 256)
        parts = [images[first : first + size] for first in range(0, len(images), size)]
        outputs = [self._chosen(self._run(tf.constant(part, tf.float32))) for part in parts]
        return np.concatenate([np.asarray(part) for part in outputs])

    def _dependence(self, images: np.ndarray) -> str | None:
        """Returns what outputs depend on beside their image, judging the images in several ways."""
        alone = np.concatenate([self._outputs_of(image[None]) for image in images])
        among = self._outputs_of(np.concatenate([images, images[:, ::-1]]))[: len(images)]
        ways = {
            "chance: the same images, judged again, have others": self._outputs_of(images),
            "the order of the images": self._outputs_of(images[::-1])[::-1],
            "the images that are judged with it": np.stack([alone, among]),
        }
        expected = self.tried.astype(np.float32)
        tolerance = self._rounding() * np.ptp(expected) + _ROUNDING * abs(expected).max()
        for name, outputs in ways.items():
            if abs(outputs.astype(np.float32) - expected).max() > tolerance:
                return name
        return None

    def _rounding(self) -> float:
        layers = getattr(self._model, "layers", ())
        types = {self.tried.dtype.name, *(getattr(one, "compute_dtype", "") for one in layers)}
        return 5e-2 if types & {"float16", "bfloat16"} else 5e-3

    def _call(self, images: tf.Tensor) -> Any:
        images = tf.cast(images, tf.float32) * self._scale + self._low
        images = self._prepare(prepared(self._model, images))
        return self._model(images, **self._options)

    def _chosen(self, given: Any) -> tf.Tensor:
        """Returns the output asked for, of one or several."""
        if isinstance(given, dict):
            found = given
        elif isinstance(given, (list, tuple)):
            names = getattr(self._model, "output_names", ())
            found = dict(zip(names if len(names) == len(given) else range(len(given)), given))
        else:
            return given
        if self._output is not None:
            names = {str(name): name for name in found}
            return found[names[validation.check_name("output", str(self._output), names)]]
        if len(found) > 1:
            raise ValueError(several_outputs(found))
        return next(iter(found.values()))

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits, float32 [batch, classes].

        Args:
          images: pixel values 0..255, [batch, height, width, channels].
          training: must be False.
        """
        outputs = tf.convert_to_tensor(self._chosen(self._call(images)))
        logits = tf.cast(self._kind.to_logits(outputs), tf.float32)
        # A SavedModel may not say how many classes it has.
        return tf.ensure_shape(logits, [None, self.num_classes])


def _check_shape(model: Any, input_shape: tuple[int, ...]) -> None:
    """Raises ValueError if a Keras model says that it takes other images."""
    check_layout("given are", input_shape)
    shapes = [] if has_preprocessor(model) else input_shapes(model)
    if len(shapes) > 1:
        raise ValueError(f"the classifier must take images alone, it takes {len(shapes)} inputs.")
    for expected in shapes:
        if not tf.TensorShape(expected[1:]).is_compatible_with(input_shape):
            wanted = " x ".join("any" if size is None else str(size) for size in expected[1:])
            shown = " x ".join(str(size) for size in input_shape)
            raise ValueError(f"the classifier takes images of {wanted}, got {shown}.")


def _range(values: Sequence[float]) -> tuple[float, float]:
    if not isinstance(values, (tuple, list)) or len(values) != 2 or values[0] == values[1]:
        raise ValueError(f"input_range must be two different numbers, got {values!r}.")
    low, high = (validation.check_range("input_range", value) for value in values)
    return low, high


def _options(model: Callable[..., tf.Tensor]) -> dict[str, bool]:
    """Returns what a model is called with besides the images; a plain function takes no more."""
    if not callable(model):
        methods = [f".{name}" for name in ("predict_proba", "predict") if hasattr(model, name)]
        raise TypeError(
            "the classifier must be a tf.keras.Model or a function of images, "
            f"got {type(model).__name__}{'; give its ' + ' or '.join(methods) if methods else ''}."
        )
    if isinstance(model, tf.keras.layers.Layer):
        return {"training": False}
    try:
        takes_training = "training" in inspect.signature(model).parameters
    except (TypeError, ValueError):  # compiled functions may have no signature
        takes_training = False
    return {"training": False} if takes_training else {}
