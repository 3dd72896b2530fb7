"""Cross-entropy, KL and l2 per example: what the search maximizes and the training minimizes.

Each divergence is one function of a batch of logits. The search ranks transformations with it
(`Objective`), the training step adds it to the loss (`KLInvariance`, `LogitInvariance`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

from spatial_keras.support import validation

_PROBABILITY_FLOOR = 1e-8


@tf.keras.utils.register_keras_serializable("spatial_keras")
@dataclasses.dataclass(frozen=True)
class Objective:
    """What a search maximizes: function(reference, logits of the transformed images).

    Attributes:
      name: its name.
      function: (reference, logits [n, classes]) -> values [n]. A model is saved with the name that
        the function has in tf.keras.utils.register_keras_serializable.
      reference: "labels" or "natural": whether the reference is the labels, or the logits of the
        untransformed images.
    """

    name: str
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    reference: str

    def reference_of(
        self, classifier: Callable[..., tf.Tensor], images: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        """Returns what the function compares with, the same for all transformations of the images.

        Args:
          classifier: maps images to logits; it runs in inference mode.
          images: the untransformed ones, [batch, height, width, channels].
          labels: class numbers, integer [batch], or distributions, [batch, classes].

        Returns:
          The labels or logits [batch, classes].
        """
        return classifier(images, training=False) if self.reference == "natural" else labels

    def get_config(self) -> dict[str, str]:
        """Returns the attributes, with the registered name of the function.

        Raises:
          ValueError: the function has none.
        """
        for name, function in tf.keras.utils.get_custom_objects().items():
            if function is self.function:
                return {"name": self.name, "function": name, "reference": self.reference}
        raise ValueError(
            f"objective '{self.name}' cannot be saved: register its function with "
            "tf.keras.utils.register_keras_serializable."
        )

    @classmethod
    def from_config(cls, config: dict[str, str]) -> Objective:
        """Builds the objective from its configuration.

        Raises:
          ValueError: no function is registered with this name.
        """
        function = tf.keras.utils.get_registered_object(config["function"])
        if function is None:
            raise ValueError(
                f"objective '{config['name']}' needs its function '{config['function']}': "
                "import the module that registers it before loading."
            )
        return cls(**{**config, "function": function})


OBJECTIVES: dict[str, Objective] = {}
_Function = TypeVar("_Function", bound=Callable[[tf.Tensor, tf.Tensor], tf.Tensor])


def register_objective(
    name: str, package: str, reference: str = "natural"
) -> Callable[[_Function], _Function]:
    """Returns a decorator of a function by which it is found as an objective of this name.

    Args:
      name: the objective's.
      package: of the function, in saved models (`tf.keras.utils.register_keras_serializable`).
      reference: see `Objective`.

    Raises:
      ValueError: the name is that of another function.
    """

    def register(function: _Function) -> _Function:
        functions = {key: objective.function for key, objective in OBJECTIVES.items()}
        validation.check_unclaimed("objective", name, function, functions)
        OBJECTIVES[name] = Objective(name, function, reference)
        return tf.keras.utils.register_keras_serializable(package)(function)

    return register


@register_objective("ce", "spatial_keras", "labels")
def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the softmax of the logits with the labels.

    Args:
      labels: class numbers, integer [batch], or distributions, [batch, classes].
      logits: [batch, classes].

    Returns:
      float32 [batch].
    """
    logits = _at_least_float32(logits)
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 2 and labels.shape[1] == logits.shape[1]:
        return tf.nn.softmax_cross_entropy_with_logits(tf.cast(labels, logits.dtype), logits)
    labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


@register_objective("kl", "spatial_keras", "natural")
def kl_divergence(natural_logits: tf.Tensor, worst_logits: tf.Tensor) -> tf.Tensor:
    """KL(natural || worst) between softmax predictions, for each example.

    Probabilities are raised by 1e-8 and renormalized, as in the paper's code.

    Args:
      natural_logits: f(x), [batch, classes].
      worst_logits: f(T(x, t)), [batch, classes].

    Returns:
      float32 [batch].
    """
    natural, worst = _probabilities(natural_logits), _probabilities(worst_logits)
    return tf.reduce_sum(natural * (tf.math.log(natural) - tf.math.log(worst)), axis=-1)


@register_objective("l2", "spatial_keras", "natural")
def squared_distance(natural_logits: tf.Tensor, worst_logits: tf.Tensor) -> tf.Tensor:
    """||f(x) - f(T(x, t))||^2 between logits, for each example; arguments as `kl_divergence`."""
    difference = _at_least_float32(natural_logits) - _at_least_float32(worst_logits)
    return tf.reduce_sum(difference**2, axis=-1)


def get_objective(objective: str | Objective) -> Objective:
    """Returns the objective of this name, such as "ce"; an Objective is returned as it is.

    Raises:
      ValueError: no objective has this name.
    """
    if isinstance(objective, Objective):
        return objective
    return OBJECTIVES[validation.check_name("objective", objective, OBJECTIVES)]


REGULARIZERS: dict[str, type[tf.keras.losses.Loss]] = {}
_Loss = TypeVar("_Loss", bound=type[tf.keras.losses.Loss])


def register_regularizer(name: str, package: str) -> Callable[[_Loss], _Loss]:
    """Returns a decorator of a Loss class by which it is found as a regularizer of this name.

    Args:
      name: the regularizer's.
      package: of the class, in saved models (`tf.keras.utils.register_keras_serializable`).

    Raises:
      ValueError: the name is that of another class.
    """

    def register(loss: _Loss) -> _Loss:
        REGULARIZERS[validation.check_unclaimed("regularizer", name, loss, REGULARIZERS)] = loss
        return tf.keras.utils.register_keras_serializable(package)(loss)

    return register


@register_regularizer("kl", "spatial_keras")
class KLInvariance(tf.keras.losses.Loss):
    """The regularizer KL(softmax f(x) || softmax f(T(x, t))) of the paper's KL and KL-C.

    Call it with (natural logits, worst-case logits), both [batch, classes]; gradients flow through
    both.

    Args:
      reduction: "sum_over_batch_size", "sum" or "none".
      name: the loss's name.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "kl", **kwargs: Any):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the divergence per example, float32 [batch]."""
        return kl_divergence(y_true, y_pred)


@register_regularizer("l2", "spatial_keras")
class LogitInvariance(tf.keras.losses.Loss):
    """The regularizer ||f(x) - f(T(x, t))||^2 / 4 on logits, of the paper's l2 and ALP.

    Call it with (natural logits, worst-case logits), both [batch, classes]; gradients flow through
    both.

    Args:
      reduction: "sum_over_batch_size", "sum" or "none".
      name: the loss's name.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "l2", **kwargs: Any):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns a quarter of the squared distance per example, float32 [batch]."""
        return squared_distance(y_true, y_pred) / 4


def get_regularizer(
    regularizer: str | tf.keras.losses.Loss | None,
) -> tf.keras.losses.Loss | None:
    """Returns a new regularizer of this name, such as "kl"; a Loss or None as it is.

    Raises:
      TypeError: neither a name nor a Keras Loss.
      ValueError: no regularizer has this name.
    """
    if regularizer is None or isinstance(regularizer, tf.keras.losses.Loss):
        return regularizer
    if not isinstance(regularizer, str):
        raise TypeError(
            f"regularizer must be a tf.keras.losses.Loss, 'kl', 'l2' or None, got {regularizer!r}."
        )
    return REGULARIZERS[validation.check_name("regularizer", regularizer, REGULARIZERS)]()


def mean(values: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the sum of values [batch], times weights, divided by their number, as Keras does.

    It is 0 for no values: of several devices one may get no images.

    Raises:
      ValueError: there is not one value per example.
    """
    if values.shape.rank != 1:
        raise ValueError(f"a loss must give one value per example, got shape {values.shape}.")
    total = tf.reduce_sum(values if weights is None else tf.cast(weights, values.dtype) * values)
    return tf.math.divide_no_nan(total, tf.cast(tf.size(values), total.dtype))


def hits(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns 1 where the largest logit is that of the likeliest class, else 0: float32 [batch]."""
    if labels.shape.rank == 2:
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
    return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == labels, tf.float32)


def _at_least_float32(logits: tf.Tensor) -> tf.Tensor:
    # Keras 2.15 hands a Loss its logits in the 16 bits of mixed precision.
    logits = tf.convert_to_tensor(logits)
    return logits if logits.dtype == tf.float64 else tf.cast(logits, tf.float32)


def _probabilities(logits: tf.Tensor) -> tf.Tensor:
    probabilities = tf.nn.softmax(_at_least_float32(logits)) + _PROBABILITY_FLOOR
    return probabilities / tf.reduce_sum(probabilities, axis=-1, keepdims=True)
