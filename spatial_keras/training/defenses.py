"""The paper's table of defenses as data: a name such as "wo10_kl_mix" -> a Defense.

A name is "std", "std_star", or a search, a method and a suffix: {wo{k}, pgd{n}, grid} _ {at, alp,
klc, kl, l2} _ {nothing, nat, mix}. The search is the worst of k draws, n steps of gradient ascent,
or all points of a grid. The suffix says which images the cross-entropy is taken on: worst-case
("rob" in the paper; no suffix), natural, or both. "at" alone has a third one: "half", of the
worst-case images, as the authors released it.

The table grows by searches (`register_search`), which all methods go with, and by methods
(`register_method`), whose parts are found by name too (`register_regularizer`,
`register_objective`).
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import string
from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf

from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.support import validation
from spatial_keras.training.losses import Objective, register_objective, register_regularizer
from spatial_keras.training.robust_model import RobustModel
from spatial_keras.training.search import SEARCHES, Search, SearchOption, register_search
from spatial_keras.training.worst_of_k import WorstOfK

__all__ = [
    "Defense",
    "Method",
    "SearchOption",
    "get",
    "register_method",
    "register_objective",
    "register_regularizer",
    "register_search",
]

_SUFFIXES = {"": "worst", "nat": "natural", "mix": "both", "half": "half"}
# Attributes of a Defense that are arguments of RobustModel.
_TRAINED_WITH = (
    "cross_entropy",
    "objective",
    "cross_entropy_objective",
    "regularizer",
    "regularizer_weight",
    "shift",
)
_IN_PAPER = {"worst": "rob", "natural": "nat", "both": "mix", "half": "half"}


@dataclasses.dataclass(frozen=True)
class Method:
    """What is minimized beside the cross-entropy, and what is searched with: "kl" in "wo10_kl".

    Attributes:
      in_paper: its name as people write it, such as "KL-C".
      regularizer: its name, or a Loss of (natural logits, worst-case logits); None for none.
      regularizer_weight: lambda.
      objective: what the search maximizes.
      apart: the suffixes of the rows in which the cross-entropy's images are searched for apart,
        with the cross-entropy: "" or "mix".
    """

    in_paper: str
    regularizer: str | tf.keras.losses.Loss | None = None
    regularizer_weight: float = 0.0
    objective: str | Objective = "ce"
    apart: Collection[str] = ()


METHODS = {
    "at": Method("AT"),
    "alp": Method("ALP", "l2", 1.0),
    "klc": Method("KL-C", "kl", 8.0),
    "kl": Method("KL", "kl", 8.0, "kl", apart=("mix",)),
    "l2": Method("L2", "l2", 1.0, "l2", apart=("", "mix")),
}


def register_method(name: str, method: Method) -> None:
    """Makes a method known by name: with each search and suffix it is a row of the table.

    Args:
      name: small letters and digits, such as "js" for the row "wo10_js".
      method: what it is.

    Raises:
      ValueError: the name has other characters, or is that of another method.
    """
    if not re.fullmatch("[a-z][a-z0-9]*", name) or name in _SUFFIXES:
        raise ValueError(f"a method's name must be small letters and digits, got '{name}'.")
    if METHODS.setdefault(name, method) != method:
        raise ValueError(f"method '{name}' is {METHODS[name]} already.")


@dataclasses.dataclass(frozen=True)
class Defense:
    """A row of the paper's table (section 4.2): how images are searched for and what is minimized.

    Attributes:
      name: the row's name.
      search: finds the worst-case images, over the paper's S unless `with_options` was told
        another, until it is built; None for none.
      cross_entropy: images the cross-entropy is taken on: "natural", "worst", "both" or "half".
      objective: what the search maximizes.
      cross_entropy_objective: what a second search, for the cross-entropy's images, maximizes.
      regularizer: its name, a Loss, or None.
      regularizer_weight: lambda.
      shift: natural images are shifted at random by up to this many pixels.
      method: what is minimized as people write it, without search and images, such as "KL-C".
    """

    name: str
    search: Search | None = dataclasses.field(default=None, compare=False)
    cross_entropy: str = "worst"
    objective: str | Objective = "ce"
    cross_entropy_objective: str | Objective | None = None
    regularizer: str | tf.keras.losses.Loss | None = None
    regularizer_weight: float = 0.0
    shift: int = 0
    method: str = "std"

    @property
    def searches(self) -> bool:
        """Whether training searches, beyond drawing at random."""
        return self.search is not None and self.search.searches

    @property
    def number(self) -> str | None:
        """What the number in its name is, such as "k" of "wo10_kl"; None if there is none."""
        search = self.search
        return search.number if search and self.name.startswith(search.prefix) else None

    @property
    def needs_gradient(self) -> bool:
        """Whether its warp must be differentiable in the parameters."""
        return self.search is not None and self.search.needs_gradient

    @property
    def images(self) -> str:
        """The images that the cross-entropy is on: the paper's "rob", "nat" or "mix"; or "half"."""
        return _IN_PAPER[self.cross_entropy]

    def with_number(self, number: int) -> Defense:
        """Returns the row with this number in its search, such as "wo3_kl" for "wo10_kl"."""
        searched, _, minimized = self.name.partition("_")
        return get(f"{searched.rstrip(string.digits)}{number}_{minimized}")

    def with_options(
        self, options: Mapping[str, Any], transformations: TransformationSet | None = None
    ) -> Defense:
        """Returns this row with other arguments of its search.

        Args:
          options: by the flags' names, such as "pgd_start"; those of other searches are left out.
          transformations: the set S, whose axes these may be for; the paper's by default.
        """
        if self.search is None:
            return self
        flags = self.search.flags()
        arguments = {flags[name].name: value for name, value in options.items() if name in flags}
        box = transformations or self.search.transformations
        search = self.search.replace(**{"transformations": box, **arguments})
        return dataclasses.replace(self, search=search)

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
          transformations: the set S; that of the search by default.
          warp: applies the transformations.
          **options: further arguments of RobustModel, such as seed, weight_decay, xla; those that
            the table sets, such as regularizer_weight or search, may be overridden.
        """
        arguments = {name: getattr(self, name) for name in _TRAINED_WITH}
        if self.search is not None:
            box = transformations or self.search.transformations
            arguments["search"] = self.search.replace(transformations=box, warp=warp)
        return RobustModel(classifier, **{**arguments, **options})


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
        return Defense(name, WorstOfK(1), method="std*")
    parts = r"([a-z]+)(0|[1-9][0-9]*|)_([a-z0-9]+?)(?:_(nat|mix|half))?"
    match = re.fullmatch(parts, name)
    prefix, number, method, suffix = match.groups(default="") if match else [""] * 4
    kind = SEARCHES.get(prefix)
    if kind is None or method not in METHODS or bool(number) != bool(kind.number):
        raise ValueError(validation.unknown_name("defense", name, _examples()))
    row = METHODS[method]
    if row.regularizer is None and suffix == "nat":
        raise ValueError(
            f"defense '{name}' trains on natural images alone and searches in vain; '{method}' "
            "takes no suffix, '_mix' or '_half'."
        )
    if row.regularizer is not None and suffix == "half":
        raise ValueError(
            f"defense '{name}' has a regularizer, on all images; '_half' goes with 'at' alone."
        )
    if number == "0":
        raise ValueError(f"{kind.number} must be at least 1 in defense '{name}', got 0.")
    arguments: dict[str, Any] = {kind.number: int(number)} if kind.number else {}
    return Defense(
        name,
        kind(**arguments),
        cross_entropy=_SUFFIXES[suffix],
        objective=row.objective,
        cross_entropy_objective="ce" if suffix in row.apart else None,
        regularizer=row.regularizer,
        regularizer_weight=row.regularizer_weight,
        method=row.in_paper,
    )


def _examples() -> list[str]:
    """Returns names of the table: of each search with its usual number, without suffixes."""
    found = ["std", "std_star"]
    for prefix, kind in SEARCHES.items():
        number = inspect.signature(kind).parameters[kind.number].default if kind.number else ""
        found += [f"{prefix}{number}_{method}" for method in METHODS]
    return found
