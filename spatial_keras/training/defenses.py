"""The paper's table of defenses as data: a name such as "wo10_kl_mix" -> a Defense.

A name is "std", "std_star", or a search, a method and a suffix: {wo{k}, pgd{n}, grid} _ {at, alp,
klc, kl, l2} _ {nothing, nat, mix}. The search is the worst of k draws, n steps of gradient ascent,
or all points of a grid. The suffix says which images the cross-entropy is taken on: worst-case
("rob" in the paper; no suffix), natural, or both.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.support import validation
from spatial_keras.training.gradient_search import GradientSearch
from spatial_keras.training.robust_model import RobustModel
from spatial_keras.training.search import GridSearch, Search, WorstOfK

# search: (kind, what the number in the name is)
_SEARCHES = {"wo": ("worst_of_k", "k"), "pgd": ("gradient", "steps"), "grid": ("grid", None)}
SEARCH_KINDS = tuple(kind for kind, _ in _SEARCHES.values())
# method: (regularizer, lambda, objective of the search)
_METHODS = {
    "at": (None, 0.0, "ce"),
    "alp": ("l2", 1.0, "ce"),
    "klc": ("kl", 8.0, "ce"),
    "kl": ("kl", 8.0, "kl"),
    "l2": ("l2", 1.0, "l2"),
}
_SUFFIXES = {"": "worst", "nat": "natural", "mix": "both"}
# Where the objectives of the table differ, the cross-entropy's images are searched for apart.
_SECOND_SEARCH = {("kl", "mix"), ("l2", ""), ("l2", "mix")}
_EXAMPLES = (
    "std",
    "std_star",
    *(f"{search}_{method}" for search in ("wo10", "pgd5", "grid") for method in _METHODS),
)


@dataclasses.dataclass(frozen=True)
class Defense:
    """A row of the paper's table (section 4.2): how images are searched for and what is minimized.

    Attributes:
      name: the row's name.
      search_kind: "worst_of_k", "gradient", "grid", or None for no search.
      k: candidates per image of the worst-of-k search.
      steps: gradient steps of the gradient search.
      cross_entropy: images the cross-entropy is taken on: "natural", "worst" or "both".
      objective: what the search maximizes.
      cross_entropy_objective: what a second search, for the cross-entropy's images, maximizes.
      regularizer: "kl", "l2" or None.
      regularizer_weight: lambda.
      shift: natural images are shifted at random by up to this many pixels.
    """

    name: str
    search_kind: str | None = None
    k: int = 0
    steps: int = 0
    cross_entropy: str = "worst"
    objective: str = "ce"
    cross_entropy_objective: str | None = None
    regularizer: str | None = None
    regularizer_weight: float = 0.0
    shift: int = 0

    def build(
        self,
        classifier: tf.keras.Model,
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        *,
        step_sizes: Sequence[float] | None = None,
        random_start: bool = True,
        grid_counts: Sequence[int] | None = None,
        **options: Any,
    ) -> RobustModel:
        """Wraps a classifier in a RobustModel that trains with this defense.

        Args:
          classifier: a built model that maps images to logits.
          transformations: the set S; the paper's by default.
          warp: applies the transformations.
          step_sizes: see `search`.
          random_start: see `search`.
          grid_counts: see `search`.
          **options: further arguments of RobustModel, such as seed, weight_decay, xla; those that
            the table sets, such as regularizer_weight, may be overridden.
        """
        arguments = {
            "search": self.search(
                transformations,
                warp,
                step_sizes=step_sizes,
                random_start=random_start,
                grid_counts=grid_counts,
            ),
            "cross_entropy": self.cross_entropy,
            "objective": self.objective,
            "cross_entropy_objective": self.cross_entropy_objective,
            "regularizer": self.regularizer,
            "regularizer_weight": self.regularizer_weight,
            "shift": self.shift,
        }
        return RobustModel(classifier, **{**arguments, **options})

    def search(
        self,
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        *,
        step_sizes: Sequence[float] | None = None,
        random_start: bool = True,
        grid_counts: Sequence[int] | None = None,
    ) -> Search | None:
        """Builds this defense's search; None if it has none.

        Args:
          transformations: the set S; the paper's by default.
          warp: applies the transformations.
          step_sizes: of pgd's steps in tx, ty (pixels) and rotation (degrees), with no effect on
            other searches; a quarter of each bound by default.
          random_start: whether pgd starts at a random point, with no effect on other searches.
          grid_counts: the grid's points in tx, ty and rotation, with no effect on other searches;
            the paper's 5 x 5 x 31 by default.
        """
        if self.search_kind is None:
            return None
        kind = validation.check_name("search", self.search_kind, SEARCH_KINDS)
        if kind == "worst_of_k":
            return WorstOfK(self.k, transformations, warp)
        if kind == "grid":
            counts = {} if grid_counts is None else {"counts": grid_counts}
            return GridSearch(transformations=transformations, warp=warp, **counts)
        return GradientSearch(self.steps, transformations, warp, step_sizes, random_start)


def get(name: str | Defense) -> Defense:
    """Returns the defense of this name; a Defense is returned as it is.

    Args:
      name: e.g. "std", "std_star", "wo10_at", "pgd5_kl", "grid_kl_nat".

    Raises:
      ValueError: the name is not of the table, or has no candidates or steps.
    """
    if isinstance(name, Defense):
        return name
    if name == "std":
        return Defense(name, cross_entropy="natural", shift=4)
    if name == "std_star":
        return Defense(name, search_kind="worst_of_k", k=1)
    parts = r"((?:wo|pgd)(?=[0-9])|grid(?=_))(0|[1-9][0-9]*|)_([a-z0-9]+?)(?:_(nat|mix))?"
    match = re.fullmatch(parts, name)
    if not match or match[3] not in _METHODS:
        raise ValueError(validation.unknown_name("defense", name, _EXAMPLES))
    prefix, number, method, suffix = match.groups(default="")
    regularizer, weight, objective = _METHODS[method]
    if regularizer is None and suffix == "nat":
        raise ValueError(
            f"defense '{name}' trains on natural images alone and searches in vain; 'at' takes "
            "no suffix or '_mix'."
        )
    return Defense(
        name,
        **_described_search(name, prefix, number),
        cross_entropy=_SUFFIXES[suffix],
        objective=objective,
        cross_entropy_objective="ce" if (method, suffix) in _SECOND_SEARCH else None,
        regularizer=regularizer,
        regularizer_weight=weight,
    )


def _described_search(name: str, prefix: str, number: str) -> dict[str, Any]:
    """Returns the fields of a Defense that describe its search."""
    kind, count = _SEARCHES[prefix]
    if count is None:
        return {"search_kind": kind}
    if int(number) < 1:
        raise ValueError(f"{count} must be at least 1 in defense '{name}', got {int(number)}.")
    return {"search_kind": kind, count: int(number)}
