"""The paper's table of defenses as data: a name such as "wo10_kl_mix" -> a Defense.

A name is "std", "std_star", or a search, a method and a suffix: wo{k} _ {at, alp, klc, kl, l2}
_ {nothing, nat, mix}. The suffix says which images the cross-entropy is taken on: worst-case
("rob" in the paper; no suffix), natural, or both.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import tensorflow as tf

from spatial_keras import validation
from spatial_keras.robust_model import RobustModel
from spatial_keras.search import Search, WorstOfK
from spatial_keras.transformations import TransformationSet
from spatial_keras.warp import SpatialWarp

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
_EXAMPLES = ("std", "std_star", "wo10_at", "wo10_alp", "wo10_klc", "wo10_kl", "wo10_l2")


@dataclasses.dataclass(frozen=True)
class Defense:
    """A row of the paper's table (section 4.2): how images are searched for and what is minimized.

    Attributes:
      name: the row's name.
      k: candidates per image of the worst-of-k search; 0 for no search.
      cross_entropy: images the cross-entropy is taken on: "natural", "worst" or "both".
      objective: what the search maximizes.
      cross_entropy_objective: what a second search, for the cross-entropy's images, maximizes.
      regularizer: "kl", "l2" or None.
      regularizer_weight: lambda.
      shift: natural images are shifted at random by up to this many pixels.
    """

    name: str
    k: int = 0
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
        **options: Any,
    ) -> RobustModel:
        """Wraps a classifier in a RobustModel that trains with this defense.

        Args:
          classifier: a built model that maps images to logits.
          transformations: the set S; the paper's by default.
          warp: applies the transformations.
          **options: further arguments of RobustModel, such as seed, weight_decay, xla; those that
            the table sets, such as regularizer_weight, may be overridden.
        """
        arguments = {
            "search": self.search(transformations, warp),
            "cross_entropy": self.cross_entropy,
            "objective": self.objective,
            "cross_entropy_objective": self.cross_entropy_objective,
            "regularizer": self.regularizer,
            "regularizer_weight": self.regularizer_weight,
            "shift": self.shift,
        }
        return RobustModel(classifier, **{**arguments, **options})

    def search(
        self, transformations: TransformationSet | None = None, warp: SpatialWarp | None = None
    ) -> Search | None:
        """Builds this defense's search; None if it has none."""
        return WorstOfK(self.k, transformations, warp) if self.k else None


def get(name: str | Defense) -> Defense:
    """Returns the defense of this name; a Defense is returned as it is.

    Args:
      name: e.g. "std", "std_star", "wo10_at", "wo10_kl_mix".

    Raises:
      ValueError: the name is not of the table, or k is 0.
    """
    if isinstance(name, Defense):
        return name
    if name == "std":
        return Defense(name, cross_entropy="natural", shift=4)
    if name == "std_star":
        return Defense(name, k=1)
    match = re.fullmatch(r"wo(\d+)_([a-z0-9]+?)(?:_(nat|mix))?", name)
    if not match or match[2] not in _METHODS:
        raise ValueError(validation.unknown_name("defense", name, _EXAMPLES))
    k, method, suffix = int(match[1]), match[2], match[3] or ""
    if k < 1:
        raise ValueError(f"k must be at least 1 in defense '{name}', got {k}.")
    regularizer, weight, objective = _METHODS[method]
    if regularizer is None and suffix == "nat":
        raise ValueError(
            f"defense '{name}' trains on natural images alone and searches in vain; 'at' takes "
            "no suffix or '_mix'."
        )
    return Defense(
        name,
        k=k,
        cross_entropy=_SUFFIXES[suffix],
        objective=objective,
        cross_entropy_objective="ce" if (method, suffix) in _SECOND_SEARCH else None,
        regularizer=regularizer,
        regularizer_weight=weight,
    )
