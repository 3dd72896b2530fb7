"""What training costs in passes of the network, which are the same on every machine.

One pass is that of one image forwards. Back to the image takes as much again, on to the gradient of
the weights once more.
"""

from __future__ import annotations

from spatial_keras.training import losses
from spatial_keras.training.defenses import Defense
from spatial_keras.training.search import Search

_TO_THE_WEIGHTS = 3


def of_search(search: Search, objective: str | losses.Objective) -> int:
    """Returns the passes of one search, for an image of the batch.

    Args:
      search: what searches.
      objective: what it maximizes.
    """
    if not search.searches:
        return 0
    reference = losses.get_objective(objective).reference == "natural"
    return search.passes_per_candidate * search.num_candidates + reference


def of_step(defense: Defense, searches: bool = True) -> int:
    """Returns the passes of one training step, for an image of the batch.

    Args:
      defense: what the step trains with.
      searches: whether it searches, or draws at random (`search_from`).
    """
    natural = defense.cross_entropy in ("natural", "both") or defense.regularizer is not None
    objectives = [defense.objective] if defense.search else []
    if defense.cross_entropy_objective:
        objectives.append(defense.cross_entropy_objective)
    gradient = _TO_THE_WEIGHTS * (natural + len(objectives))
    search = defense.search
    if search is None or not searches:
        return gradient
    return gradient + sum(of_search(search, objective) for objective in objectives)


def of_training(defense: Defense, steps: int, search_from: int = 0) -> int:
    """Returns the passes of a whole training, for an image of the batch.

    Args:
      defense: what is trained with.
      steps: how many.
      search_from: the first of them that searches.
    """
    late = of_step(defense)
    return search_from * of_step(defense, searches=False) + (steps - search_from) * late
