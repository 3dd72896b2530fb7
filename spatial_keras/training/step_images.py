"""The images that a step is taken on: natural, and transformed as badly as a search finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.training import losses
from spatial_keras.training.search import Search

# Places in the seed of a step, so that its draws are independent of each other.
_SHIFT, _SEARCH, _CROSS_ENTROPY_SEARCH = range(3)


@dataclasses.dataclass(frozen=True)
class StepImages:
    """Makes the images of a step; the attributes are as in RobustModel.

    Attributes:
      search: finds the worst transformations; None for natural images only.
      objective: what it maximizes.
      cross_entropy_objective: what a second search maximizes, if there is one.
      natural: whether natural images are trained on.
      search_from: the first training step that searches.
      shift: in training, whole pixels each way.
    """

    search: Search | None
    objective: losses.Objective
    cross_entropy_objective: losses.Objective | None
    natural: bool
    search_from: int
    shift: int

    def __call__(
        self,
        classifier: Callable[..., tf.Tensor],
        images: tf.Tensor,
        labels: tf.Tensor,
        seed: tf.Tensor,
        step: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Returns the images that a step needs, by name; each [batch, height, width, channels].

        All of them shifted first, in training, if `shift`. "natural": these; "worst": found with
        `objective`; "worst_for_cross_entropy": found with `cross_entropy_objective`.

        Args:
          classifier: maps images to logits.
          images: pixel values 0..255, [batch, height, width, channels].
          labels: class numbers [batch], or distributions, [batch, classes].
          seed: two integers.
          step: the number of the training step; None for an evaluation, which always searches.
        """
        made, search = {}, self.search
        images = _shifted(images, 0 if step is None else self.shift, fold(seed, _SHIFT))
        if self.natural or step is None:
            made["natural"] = images
        if search is None:
            return made

        def worst(objective: losses.Objective, place: int) -> tf.Tensor:
            key = fold(seed, place)
            found = self._parameters(search, classifier, images, labels, objective, key, step)
            return search.warp(images, tf.stop_gradient(found))

        made["worst"] = worst(self.objective, _SEARCH)
        if self.cross_entropy_objective is not None:
            made["worst_for_cross_entropy"] = worst(
                self.cross_entropy_objective, _CROSS_ENTROPY_SEARCH
            )
        return made

    def check(self, input_shape: tuple[int | None, ...], xla: bool) -> None:
        """Raises ValueError if the search is not for these objectives and images, or for XLA.

        Args:
          input_shape: (height, width, channels) of the images, None where any.
          xla: whether the search is compiled.
        """
        if self.search is None:
            return
        for objective in filter(None, (self.objective, self.cross_entropy_objective)):
            self.search.check_objective(objective)
        height, width, _ = input_shape
        if height is not None and width is not None:
            self.search.transformations.check_fits(height, width)
        if xla and self.search.warp.implementation == "op":
            raise ValueError("xla needs a warp with implementation 'gather', got 'op'.")

    def _parameters(
        self,
        search: Search,
        classifier: Callable[..., tf.Tensor],
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
        step: tf.Tensor | None,
    ) -> tf.Tensor:
        def find() -> tf.Tensor:
            return search(classifier, images, labels, objective, seed)

        def draw() -> tf.Tensor:
            return search.transformations.sample_batch(seed, tf.shape(images)[0])

        if step is None or not self.search_from:
            return find()
        return tf.cond(step < self.search_from, draw, find)


def fold(seed: tf.Tensor, data: int | tf.Tensor) -> tf.Tensor:
    """Returns another seed, two integers, for each number."""
    return tf.random.experimental.stateless_fold_in(seed, data, alg="philox")


def _shifted(images: tf.Tensor, shift: int, seed: tf.Tensor) -> tf.Tensor:
    if not shift:
        return images
    box = TransformationSet(shift, shift, 0)
    return SpatialWarp()(images, box.sample_batch(seed, tf.shape(images)[0], whole_pixels=True))
