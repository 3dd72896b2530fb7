"""The search for the worst point of a grid over S (paper, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spatial_keras.support import validation
from spatial_keras.training.search import Search, SearchOption, register_search

if TYPE_CHECKING:
    import tensorflow as tf

    from spatial_keras.geometry.transformations import TransformationSet
    from spatial_keras.geometry.warp import SpatialWarp
else:
    from spatial_keras.support.lazy import tf

MOST_POINTS = 10**6
# More are judged only where their counts are given: nobody shall wait days for a default.
_MOST_BY_DEFAULT = 100_000


def check_counts(name: str, counts: Sequence[int]) -> None:
    """Raises ValueError if a grid with so many points along its axes is too large."""
    if math.prod(counts) > MOST_POINTS:
        raise ValueError(
            f"{name} must give {MOST_POINTS:,} points at most, got {math.prod(counts):,}."
        )


def counts_of(transformations: TransformationSet, counts: Sequence[int] | None) -> tuple[int, ...]:
    """Returns the numbers of points along the axes of S, by default the axes' own.

    Raises:
      TypeError, ValueError: see `TransformationSet.check_counts`; or they are too many points by
        default.
    """
    found = transformations.check_counts(counts)
    points = math.prod(found)
    if counts is None and points > _MOST_BY_DEFAULT:
        usual = ",".join(map(str, found))
        raise ValueError(
            f"the grid over {', '.join(transformations.names)} has {points:,} points: give its "
            f"counts, by default {usual}, if you mean them, or fewer; worst_of_k needs no grid, "
            "and attack goes on from a small one."
        )
    return found


@register_search("spatial_keras")
class GridSearch(Search):
    """Of all points of a grid over S, the same for every image, the one of largest objective.

    Args:
      counts: the number of points along each axis of S (`TransformationSet.grid`); None for those
        of the axes, which make the paper's evaluation grid of 775 points.
      transformations: the set S; the paper's by default.
      warp: applies the transformations; `SpatialWarp()` by default.
      candidates_per_pass: how many points go through the network at once, for every image. All of
        them would need the memory of 775 batches; 10 need as much as the paper's Wo-10.

    Raises:
      TypeError: a count or candidates_per_pass is not an integer.
      ValueError: one of them is less than 1, there is not a count for each axis, or there are too
        many points.
    """

    prefix, most_candidates = "grid", MOST_POINTS
    options = (
        SearchOption(
            "counts",
            int,
            "Points along each axis of S that grid searches in training; default: 5,5,31, and 3 "
            "along each further one.",
            per_axis=True,
            low=1,
            check=check_counts,
        ),
    )

    def __init__(
        self,
        counts: Sequence[int] | None = None,
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        candidates_per_pass: int = 10,
    ) -> None:
        super().__init__(transformations, warp)
        check_counts("counts", counts_of(self.transformations, counts))
        self.counts = None if counts is None else tuple(counts)
        self.candidates_per_pass = validation.check_integer(
            "candidates_per_pass", candidates_per_pass, 1
        )

    @property
    def num_candidates(self) -> int:
        """The number of points."""
        return math.prod(self.transformations.check_counts(self.counts))

    def candidates(self, batch_size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns all points for each image, whatever the seed; see `Search`."""
        return tf.tile(self.transformations.grid(self.counts)[None], [batch_size, 1, 1])
