"""A model that reports loss and accuracies of natural and worst-case images, as Keras reports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from spatial_keras.support import compat
from spatial_keras.training import losses

# Which way is better, for callbacks that choose; GridAccuracy adds its own to the logs.
_DIRECTIONS = {
    "cross_entropy": "down",
    "regularizer": "down",
    "natural_accuracy": "up",
    "worst_accuracy": "up",
    "grid_accuracy": "up",
}


class ReportedModel(tf.keras.Model):
    """Has the metrics that its steps update; a list of them is one list, in training and after."""

    def _create_metrics(self, regularizes: bool, searches: bool, trains_on_natural: bool) -> None:
        self._trains_on_natural, self._evaluating = trains_on_natural, False
        self._loss_mean = tf.keras.metrics.Mean("loss")
        self._cross_entropy_mean = tf.keras.metrics.Mean("cross_entropy")
        self._natural_accuracy = tf.keras.metrics.Mean("natural_accuracy")
        if regularizes:
            self._regularizer_mean = tf.keras.metrics.Mean("regularizer")
        if searches:
            self._worst_accuracy = tf.keras.metrics.Mean("worst_accuracy")
        self._directions = compat.directions(_DIRECTIONS)

    def _update(
        self,
        labels: tf.Tensor,
        weights: tf.Tensor | None,
        terms: dict[str, tf.Tensor],
        logits: dict[str, tf.Tensor],
    ) -> None:
        """Adds a step to what is reported.

        Args:
          labels: class numbers [batch], or distributions, [batch, classes].
          weights: of the examples, [batch], or None.
          terms: of `StepLoss`.
          logits: [batch, classes] each, by the names of `StepImages`.
        """
        size = tf.shape(labels)[0]
        self._loss_mean.update_state(terms["loss"], size)
        self._cross_entropy_mean.update_state(terms["cross_entropy"], size)
        if "regularizer" in terms:
            self._regularizer_mean.update_state(terms["regularizer"], size)
        if "natural" in logits:
            self._natural_accuracy.update_state(losses.hits(labels, logits["natural"]), weights)
        if "worst" in logits:
            self._worst_accuracy.update_state(losses.hits(labels, logits["worst"]), weights)

    @contextlib.contextmanager
    def _evaluation(self) -> Iterator[None]:
        """Reports the natural accuracy, also where training has no natural images."""
        was, self._evaluating = self._evaluating, True
        try:
            yield
        finally:
            self._evaluating = was

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """What is reported; the natural accuracy, which a training may lack, is the last."""
        # Keras's own mean of the loss is not fed by a train_step of one's own.
        others = [m for m in super().metrics if m.name not in ("loss", "natural_accuracy")]
        return [self._loss_mean, *others, self._natural_accuracy]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns as a list, in its order."""
        return compat.names_in_order(self.metrics)

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Returns what has been reported since the last reset, by name."""
        results = super().get_metrics_result()
        if not (self._evaluating or self._trains_on_natural):
            del results["natural_accuracy"]
        return results
