"""The search for the worst transformation of each image (paper, section 3.2).

A search takes a classifier, images, labels, an objective and a seed, and returns for each image
parameters in S at which the objective is high. The classifier runs in inference mode.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from spatial_keras.geometry import sampling
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.support import validation
from spatial_keras.training import losses


class Search(abc.ABC):
    """Finds for each image a transformation in S of high objective.

    Args:
      transformations: the set S; the paper's by default.
      warp: applies the transformations; `SpatialWarp()` by default.
    """

    def __init__(
        self, transformations: TransformationSet | None = None, warp: SpatialWarp | None = None
    ) -> None:
        self.transformations = TransformationSet() if transformations is None else transformations
        self.warp = SpatialWarp() if warp is None else warp

    @abc.abstractmethod
    def __call__(
        self,
        classifier: tf.keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the worst parameters found.

        Args:
          classifier: maps images to logits [batch, classes].
          images: pixel values 0..255, [batch, height, width, channels].
          labels: class numbers, integer [batch], or distributions, [batch, classes].
          objective: what to maximize.
          seed: two integers; the same seed gives the same draws. Under tf.distribute all replicas
            get the same one; `transformations.sample_batch` draws for the images of one of them.

        Returns:
          (tx, ty, rotation) in pixels and degrees, float32 [batch, 3].
        """

    def check_objective(self, objective: losses.Objective) -> None:  # noqa: B027 - most take any
        """Raises ValueError if this search cannot maximize the objective; by default it can."""

    def _worst_of(
        self,
        candidates: tf.Tensor,
        per_pass: int,
        classifier: tf.keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
    ) -> tf.Tensor:
        """Returns of candidates [batch, k, 3] each image's worst, judging `per_pass` at once."""
        reference = self._reference(classifier, images, labels, objective)
        judge = functools.partial(self._values, classifier, objective, images, reference)
        return worst_candidate(judge, candidates, per_pass)

    def _reference(
        self,
        classifier: tf.keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
    ) -> tf.Tensor:
        """Returns what the objective compares with, computed once for all candidates."""
        return classifier(images, training=False) if objective.reference == "natural" else labels

    def _values(
        self,
        classifier: tf.keras.Model,
        objective: losses.Objective,
        images: tf.Tensor,
        reference: tf.Tensor,
        parameters: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the objective at parameters [batch, n, 3]: [batch, n]; in inference mode."""
        number = parameters.shape[1]
        warped = self.warp(images, parameters)
        warped = tf.reshape(warped, [-1, *sampling.size_of(images), images.shape[-1]])
        logits = classifier(warped, training=False)
        values = objective.function(tf.repeat(reference, number, axis=0), logits)
        return tf.reshape(values, [-1, number])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "transformations": tf.keras.utils.serialize_keras_object(self.transformations),
            "warp": tf.keras.utils.serialize_keras_object(self.warp),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Search:
        """Builds the search from its configuration."""
        config = dict(config)
        for name in ("transformations", "warp"):
            config[name] = tf.keras.utils.deserialize_keras_object(config[name])
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.get_config())
        return f"{type(self).__name__}({arguments})"


@tf.keras.utils.register_keras_serializable("spatial_keras")
class WorstOfK(Search):
    """Wo-k: of k independent uniform draws per image, the one with the largest objective.

    The untouched image is not a candidate. k = 1 is random augmentation and runs no network.

    Args:
      k: the number of draws per image.
      transformations: the set S; the paper's by default.
      warp: applies the transformations; `SpatialWarp()` by default.
      candidates_per_pass: how many of the k candidates of every image go through the network at
        once; None for all k (fastest). Fewer need less memory.

    Raises:
      TypeError: k or candidates_per_pass is not an integer.
      ValueError: one of them is less than 1.
    """

    def __init__(
        self,
        k: int = 10,
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        candidates_per_pass: int | None = None,
    ) -> None:
        super().__init__(transformations, warp)
        self.k = validation.check_integer("k", k, 1)
        if candidates_per_pass is not None:
            validation.check_integer("candidates_per_pass", candidates_per_pass, 1)
        self.candidates_per_pass = candidates_per_pass

    def __call__(
        self,
        classifier: tf.keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the worst of k draws; see `Search`."""
        candidates = self.transformations.sample_batch(seed, tf.shape(images)[0], [self.k])
        if self.k == 1:
            return candidates[:, 0]
        per_pass = self.candidates_per_pass or self.k
        return self._worst_of(candidates, per_pass, classifier, images, labels, objective)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "k": self.k,
            **super().get_config(),
            "candidates_per_pass": self.candidates_per_pass,
        }


@tf.keras.utils.register_keras_serializable("spatial_keras")
class GridSearch(Search):
    """Of all points of a grid over S, the same for every image, the one of largest objective.

    Args:
      counts: the number of points in tx, ty and rotation (`TransformationSet.grid`); the default
        is the paper's evaluation grid, 775 points.
      transformations: the set S; the paper's by default.
      warp: applies the transformations; `SpatialWarp()` by default.
      candidates_per_pass: how many points go through the network at once, for every image. All of
        them would need the memory of 775 batches; 10 need as much as the paper's Wo-10.

    Raises:
      TypeError: a count or candidates_per_pass is not an integer.
      ValueError: one of them is less than 1, or there are not three counts.
    """

    def __init__(
        self,
        counts: Sequence[int] = (5, 5, 31),
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        candidates_per_pass: int = 10,
    ) -> None:
        super().__init__(transformations, warp)
        self.counts = validation.check_triple("counts", counts)
        self.transformations.grid(*self.counts)  # rejects impossible ones
        self.candidates_per_pass = validation.check_integer(
            "candidates_per_pass", candidates_per_pass, 1
        )

    def __call__(
        self,
        classifier: tf.keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the worst point of the grid, whatever the seed; see `Search`."""
        points = self.transformations.grid(*self.counts)
        candidates = tf.tile(points[None], [tf.shape(images)[0], 1, 1])
        per_pass = self.candidates_per_pass
        return self._worst_of(candidates, per_pass, classifier, images, labels, objective)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "counts": list(self.counts),
            **super().get_config(),
            "candidates_per_pass": self.candidates_per_pass,
        }


def worst_candidate(
    judge: Callable[[tf.Tensor], tf.Tensor], candidates: tf.Tensor, per_pass: int
) -> tf.Tensor:
    """Returns each image's candidate of the largest value; of equal ones the first.

    Args:
      judge: maps parameters [batch, n, 3] to values [batch, n].
      candidates: parameters [batch, k, 3].
      per_pass: candidates of each image to judge at once.

    Returns:
      Parameters [batch, 3].
    """
    number = candidates.shape[1]
    if number <= per_pass:
        return _first_largest(judge(candidates), candidates)[1]
    # The last pass is filled up with repetitions of the last candidate, which change nothing.
    passes = -(-number // per_pass)
    index = tf.minimum(tf.range(passes * per_pass), number - 1)
    chunks = tf.reshape(tf.gather(candidates, index, axis=1), [-1, passes, per_pass, 3])

    def advance(i: tf.Tensor, value: tf.Tensor, worst: tf.Tensor) -> tuple[tf.Tensor, ...]:
        new_value, new = _first_largest(judge(chunks[:, i]), chunks[:, i])
        larger = new_value > value
        return i + 1, tf.where(larger, new_value, value), tf.where(larger[:, None], new, worst)

    first = _first_largest(judge(chunks[:, 0]), chunks[:, 0])
    _, _, worst = tf.while_loop(lambda i, *_: i < passes, advance, (tf.constant(1), *first))
    return worst


def _first_largest(values: tf.Tensor, candidates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    index = tf.argmax(values, axis=1, output_type=tf.int32)
    return (
        tf.gather(values, index, axis=1, batch_dims=1),
        tf.gather(candidates, index, axis=1, batch_dims=1),
    )
