"""What training costs in passes of the network, which are the same on every machine.

One pass is that of one image forwards. Back to the image takes as much again, on to the gradient of
the weights once more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from spatial_keras.training import losses
from spatial_keras.training.defenses import Defense

_TO_THE_IMAGE, _TO_THE_WEIGHTS = 2, 3


def of_search(defense: Defense, objective: str, grid_counts: Sequence[int] | None = None) -> int:
    """Returns the passes of one search, for an image of the batch.

    Args:
      defense: has a search.
      objective: what it maximizes.
      grid_counts: as in `Defense.search`.
    """
    if defense.search_kind == "worst_of_k":
        if defense.k == 1:
            return 0
        candidates = defense.k
    elif defense.search_kind == "grid":
        candidates = math.prod(defense.search(grid_counts=grid_counts).counts)
    else:
        candidates = _TO_THE_IMAGE * defense.steps
    return candidates + (losses.get_objective(objective).reference == "natural")


def of_step(
    defense: Defense, searches: bool = True, grid_counts: Sequence[int] | None = None
) -> int:
    """Returns the passes of one training step, for an image of the batch.

    Args:
      defense: what the step trains with.
      searches: whether it searches, or draws at random (`search_from`).
      grid_counts: as in `Defense.search`.
    """
    natural = defense.cross_entropy != "worst" or defense.regularizer is not None
    objectives = [defense.objective] if defense.search_kind else []
    if defense.cross_entropy_objective:
        objectives.append(defense.cross_entropy_objective)
    gradient = _TO_THE_WEIGHTS * (natural + len(objectives))
    if not searches:
        return gradient
    return gradient + sum(of_search(defense, one, grid_counts) for one in objectives)


def of_training(
    defense: Defense,
    steps: int,
    search_from: int = 0,
    grid_counts: Sequence[int] | None = None,
) -> int:
    """Returns the passes of a whole training, for an image of the batch.

    Args:
      defense: what is trained with.
      steps: how many.
      search_from: the first of them that searches.
      grid_counts: as in `Defense.search`.
    """
    late = of_step(defense, grid_counts=grid_counts)
    return search_from * of_step(defense, searches=False) + (steps - search_from) * late
