"""The loss of a step: cross-entropy, regularizer and penalties (paper, equation 3)."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from spatial_keras.classifiers.outputs import Outputs
from spatial_keras.training import losses

CROSS_ENTROPY_ON = ("natural", "worst", "both", "half")


@dataclasses.dataclass(frozen=True)
class StepLoss:
    """The loss of a step and its parts; the attributes are as in RobustModel.

    Attributes:
      cross_entropy: which images the cross-entropy is taken on, of CROSS_ENTROPY_ON.
      regularizer: a Loss of (natural logits, worst-case logits), if there is one.
      regularizer_weight: lambda.
      weight_decay: the weight of the kernels' squares.
      outputs: what the classifier gives, which a user's loss gets.
    """

    cross_entropy: str
    regularizer: tf.keras.losses.Loss | None
    regularizer_weight: float
    weight_decay: float
    outputs: Outputs

    def __call__(
        self,
        classifier: tf.keras.Model,
        loss: tf.keras.losses.Loss | None,
        labels: tf.Tensor,
        logits: dict[str, tf.Tensor],
        weights: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        """Returns the loss and its parts, scalars; means divide by the batch size, as in Keras.

        Args:
          classifier: has the kernels, and penalties of its own.
          loss: what `compile` was given to take the place of the cross-entropy, if anything.
          labels: class numbers [batch], or distributions, [batch, classes].
          logits: [batch, classes] each, by the names of `StepImages`.
          weights: of the examples, [batch], or None.

        Raises:
          ValueError: `loss` is not one that takes the cross-entropy's place.
        """
        worst = logits.get("worst_for_cross_entropy", logits.get("worst"))
        on = {"natural": [logits.get("natural")], "worst": [worst]}
        on["both"], on["half"] = on["natural"] + on["worst"], on["worst"]
        values = [self._of_labels(loss, labels, each) for each in on[self.cross_entropy]]
        judged = _second_half(labels, weights) if self.cross_entropy == "half" else weights
        terms = {"cross_entropy": losses.mean(tf.add_n(values) / len(values), judged)}
        total = terms["cross_entropy"]
        if self.regularizer is not None:
            value = self.regularizer.call(logits["natural"], logits["worst"])
            terms["regularizer"] = losses.mean(value, weights)
            total += self.regularizer_weight * terms["regularizer"]
        if self.weight_decay:
            squares = [tf.nn.l2_loss(kernel) for kernel in kernels(classifier)]
            total += self.weight_decay * tf.cast(sum(squares), total.dtype)
        # A classifier may bring penalties of its own.
        for penalty in classifier.losses:
            total += tf.cast(penalty, total.dtype)
        return {"loss": total, **terms}

    def _of_labels(self, loss: Any, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns the cross-entropy, or what takes its place, per example."""
        if not loss:
            return losses.cross_entropy(labels, logits)
        if not isinstance(loss, tf.keras.losses.Loss):
            raise ValueError(
                "compile takes no loss (cross-entropy on logits) or a tf.keras.losses.Loss of "
                f"class numbers and logits, got {loss!r}."
            )
        if loss.get_config().get("from_logits") is self.outputs.probabilities:
            kind = "probabilities" if self.outputs.probabilities else "logits"
            raise ValueError(
                f"the classifier gives {kind}: {loss.name} needs "
                f"from_logits={not self.outputs.probabilities}."
            )
        if self.outputs.single and labels.shape.rank == 1:
            labels = labels[:, None]
        return loss.call(labels, self.outputs.from_logits(tf.cast(logits, tf.float32)))


def _second_half(labels: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Returns weights, [batch], under which a mean over the batch is that over its second half."""
    size = tf.shape(labels)[0]
    chosen = tf.cast(tf.range(size) >= size // 2, tf.float32)
    chosen *= tf.cast(size, tf.float32) / tf.reduce_sum(chosen)
    return chosen if weights is None else chosen * weights


def kernels(classifier: tf.keras.Model) -> list[tf.Variable]:
    """Returns the weights that decay: kernels, but neither biases nor BatchNorm's."""
    # In Keras 2.15 a variable's name begins with its layer's.
    variables = classifier.trainable_variables
    return [v for v in variables if "kernel" in v.name.split("/")[-1]]
