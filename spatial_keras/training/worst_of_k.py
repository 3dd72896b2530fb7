"""Wo-k: the search for the worst of random transformations (paper, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatial_keras.support import validation
from spatial_keras.training.search import Search, register_search

if TYPE_CHECKING:
    import tensorflow as tf

    from spatial_keras.geometry.transformations import TransformationSet
    from spatial_keras.geometry.warp import SpatialWarp


@register_search("spatial_keras")
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

    prefix, number = "wo", "k"

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

    @property
    def in_paper(self) -> str:
        """Wo-k."""
        return f"Wo-{self.k}"

    def candidates(self, batch_size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns k draws for each image; see `Search`."""
        return self.transformations.sample_batch(seed, batch_size, [self.k])
