"""Judge: the passes through the network that every evaluation is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers.outputs import NonFiniteError
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.training import losses
from spatial_keras.training.gradient_search import GradientSearch

# The margin of a wrong prediction is negative, also where two logits tie.
_TIE = 1e-30


@dataclasses.dataclass(frozen=True, eq=False)
class Verdicts:
    """What the classifier makes of pairs of an image and a transformation.

    Attributes:
      margins: the logit of the label minus the largest other one, float32 [pairs]; the prediction
        is right where it is at least 0.
      losses: cross-entropy, float32 [pairs].
      predictions: class numbers, int32 [pairs].
    """

    margins: np.ndarray
    losses: np.ndarray
    predictions: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Which predictions are right, bool [pairs]."""
        return self.margins >= 0


class Judge:
    """Runs pairs of an image and a transformation through a classifier, in batches.

    The images stay where the network runs; only numbers of images and transformations move. Of a
    batch each replica of the strategy judges its part, and all have the verdicts of all.

    Args:
      classifier: maps pixel values [batch, height, width, channels] to logits.
      images: pixel values 0..255, [n, height, width, channels].
      labels: class numbers, integer [n].
      warp: applies the transformations.
      batch_size: pairs per pass at most, of all replicas together.
      xla: compile the passes with XLA.
      strategy: that the classifier's variables were made under, if any.
    """

    def __init__(
        self,
        classifier: Callable[..., tf.Tensor],
        images: np.ndarray,
        labels: np.ndarray,
        warp: SpatialWarp,
        batch_size: int,
        xla: bool = False,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        self._strategy = strategy or tf.distribute.get_strategy()
        self._replicas = self._strategy.num_replicas_in_sync
        self.batch_size = -(-batch_size // self._replicas) * self._replicas
        self._classifier, self._warp = classifier, warp
        # The op has no gradient in the transformations; the two agree to rounding.
        self.smooth_warp = SpatialWarp("gather", warp.composition, warp.fill, warp.axes)
        self._of_images = tf.TensorSpec(images.shape, images.dtype)
        self._images = self._on_each_replica(images)
        self._labels = tf.constant(labels, tf.int32)
        self._xla = xla
        self._judge = self._compiled(self._verdicts)
        self._slope = self._compiled(self._margins_and_slopes)

    def __call__(
        self,
        index: np.ndarray,
        parameters: np.ndarray,
        on_pass: Callable[[int], None] | None = None,
    ) -> Verdicts:
        """Judges pairs.

        Args:
          index: numbers of images, int [pairs].
          parameters: a transformation for each, float [pairs, axes].
          on_pass: called after every batch with the number of pairs in it.

        Raises:
          ValueError: an output of the network is NaN.
        """
        return Verdicts(*self._in_batches(self._judge, index, parameters, on_pass))

    @property
    def has_slopes(self) -> bool:
        """Whether margins have gradients in the parameters; those of nearest pixels have none."""
        return self._warp.interpolation == self.smooth_warp.interpolation

    def slopes(self, index: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns margins [pairs] and their gradients in the parameters, float32 [pairs, axes].

        Where margins have none, both are those of bilinear interpolation.
        """
        margins, slopes = self._in_batches(self._slope, index, parameters)
        return margins, slopes

    def climber(
        self, search: GradientSearch, objective: losses.Objective
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Returns a function of numbers of images, int [images], and starts, float [images, axes].

        It gives the transformations that the search's ascents end at, float32 [images, axes].
        """

        def climb(images: tf.Tensor, index: tf.Tensor, starts: tf.Tensor) -> tuple[tf.Tensor]:
            images = tf.cast(tf.gather(images, index), tf.float32)
            labels = tf.gather(self._labels, index)
            return (search.ascend(self._classifier, images, labels, objective, starts),)

        run = self._shared(lambda: tf.function(climb, jit_compile=self._xla))
        return lambda index, starts: self._in_batches(run, index, starts)[0]

    def _on_each_replica(self, images: np.ndarray) -> Any:
        if self._replicas == 1:
            return tf.constant(images)
        devices = iter(self._strategy.extended.worker_devices)

        def on_next(_: Any) -> tf.Tensor:
            with tf.device(next(devices)):
                return tf.identity(images)

        return self._strategy.experimental_distribute_values_from_function(on_next)

    def _shared(self, compiled: Callable[[], Callable[..., tuple[tf.Tensor, ...]]]) -> Any:
        """Returns a function of (images, index, parameters) that shares out the last two.

        Args:
          compiled: returns a function of them, compiled anew for each replica, as XLA has no
            variables on other devices.
        """
        if self._replicas == 1:
            return compiled()

        def of_replica(images: tf.Tensor, index: tf.Tensor, parameters: tf.Tensor):
            context = tf.distribute.get_replica_context()
            number, count = context.replica_id_in_sync_group, context.num_replicas_in_sync
            mine = tf.reshape(index, [count, -1])[number]
            parts = tf.reshape(parameters, [count, -1, parameters.shape[-1]])
            results = compiled()(images, mine, parts[number])
            return [context.all_gather(tf.identity(result), axis=0) for result in results]

        @tf.function
        def run(*arguments: Any) -> list[tf.Tensor]:
            results = self._strategy.run(of_replica, args=arguments)
            return [self._strategy.experimental_local_results(each)[0] for each in results]

        return run

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if getattr(self._classifier, "is_black_box", False):
            return function
        if self._xla:
            return self._shared(lambda: tf.function(function, jit_compile=True))
        # One graph for batches of every size.
        parameters = tf.TensorSpec([None, self._warp.num_axes], tf.float32)
        pairs = [tf.TensorSpec([None], tf.int32), parameters]
        signature = [self._of_images, *pairs]
        return self._shared(lambda: tf.function(function, input_signature=signature))

    def _in_batches(
        self,
        function: Callable[..., tuple[tf.Tensor, ...]],
        index: np.ndarray,
        parameters: np.ndarray,
        on_pass: Callable[[int], None] | None = None,
    ) -> list[np.ndarray]:
        parts = []
        for start in range(0, len(index), self.batch_size):
            stop = min(start + self.batch_size, len(index))
            # XLA compiles for one size, and replicas take equal parts: a short batch is filled up
            # with its last pair.
            fills = self._xla or self._replicas > 1
            size = self.batch_size if fills else stop - start
            rows = np.minimum(np.arange(start, start + size), stop - 1)
            results = function(
                self._images,
                tf.constant(index[rows], tf.int32),
                tf.constant(parameters[rows], tf.float32),
            )
            parts.append([result.numpy()[: stop - start] for result in results])
            bad = ~np.isfinite(parts[-1][0])
            if bad.any():
                number = index[start:stop][bad][0]
                raise NonFiniteError(
                    f"the classifier gives NaN or infinite outputs for image {number}."
                )
            if on_pass:
                on_pass(stop - start)
        return [np.concatenate(part) for part in zip(*parts)]

    def _verdicts(
        self, images: tf.Tensor, index: tf.Tensor, parameters: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits, labels = self._logits(self._warp, images, index, parameters)
        predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return _margins(logits, labels), losses.cross_entropy(labels, logits), predictions

    def _margins_and_slopes(
        self, images: tf.Tensor, index: tf.Tensor, parameters: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            margins = _margins(*self._logits(self.smooth_warp, images, index, parameters))
            # The sum: in inference mode no image's margin depends on another image.
            total = tf.reduce_sum(margins)
        slopes = tape.gradient(total, parameters)
        if slopes is None:
            raise ValueError("the attack needs a gradient, and the classifier has none.")
        return margins, slopes

    def _logits(
        self, warp: SpatialWarp, images: tf.Tensor, index: tf.Tensor, parameters: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.cast(tf.gather(images, index), tf.float32)
        return self._classifier(warp(chosen, parameters)), tf.gather(self._labels, index)


def _margins(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the margins, NaN where an output is not finite: a compiled maximum skips NaN."""
    is_label = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False)
    label = tf.reduce_max(tf.where(is_label, logits, logits.dtype.min), axis=-1)
    margins = label - tf.reduce_max(tf.where(is_label, logits.dtype.min, logits), axis=-1)
    right = tf.argmax(logits, axis=-1, output_type=tf.int32) == labels
    margins = tf.where(right, tf.maximum(margins, 0.0), tf.minimum(margins, -_TIE))
    return tf.where(tf.reduce_all(tf.math.is_finite(logits), axis=-1), margins, np.nan)
