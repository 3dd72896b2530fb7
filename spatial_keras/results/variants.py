"""Finished runs by variant: what they were trained with, apart from the seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from spatial_keras.configuration import options, shared_options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results.run_results import Results
from spatial_keras.results.table import Row
from spatial_keras.training.defenses import Defense

_FLAGS = options.all_flags(RunConfig)
# What numbers are on: runs that differ in the set S cannot be compared.
OF_S = ("max_rotation", "max_translation", *shared_options.FURTHER, "fill")
# What runs may differ in to be shown together: each such variant is a point or line of its own.
_VARYING = {
    flag.name for flag in _FLAGS if flag.option.group == "Defense" and flag.name not in OF_S
} | {"model", "width"}
_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


@dataclasses.dataclass(frozen=True)
class Variant:
    """Runs that differ in their seeds only.

    Attributes:
      setting: what they have in common, see `Results.setting`.
      runs: their results.
    """

    setting: RunConfig
    runs: Sequence[Results]

    @property
    def defense(self) -> Defense:
        """What they were trained with."""
        return self.setting.row

    @property
    def weight(self) -> float | None:
        """The weight of the regularizer, lambda; None where the loss has none."""
        return self.setting.lambda_

    @property
    def is_papers(self) -> bool:
        """Whether lambda is the paper's."""
        return self.weight in (None, self.defense.regularizer_weight)

    @property
    def search(self) -> str:
        """The search, as the paper writes it; nothing for std and std*."""
        method, search = self.defense.method, self.defense.search
        return "" if search is None or method.startswith("std") else search.in_paper

    @property
    def row(self) -> Row:
        """The runs as a row of a table."""
        return Row(self.setting.defense, self.runs)


def comparable(runs: Mapping[_Key, Results]) -> dict[str, dict[_Key, Results]]:
    """Returns finished runs in lots, each of which `group` takes.

    Args:
      runs: such as by folder.

    Returns:
      What tells a lot apart, such as "--steps=400", nothing if there is one lot only -> its runs.
    """
    names = _differing(runs.values())
    lots: dict[str, dict[_Key, Results]] = {}
    for key, results in runs.items():
        texts = results.setting.texts()
        apart = [f"--{name}={texts[name]}" if name in texts else f"no --{name}" for name in names]
        lots.setdefault(", ".join(apart), {})[key] = results
    return lots


def group(runs: Iterable[Results], also: Collection[str] = ()) -> list[Variant]:
    """Returns runs by variant.

    Args:
      runs: of which each is in one variant.
      also: flags in which variants may differ too, such as "train_images".

    Raises:
      ValueError: there are none, or they cannot be compared.
    """
    runs = list(runs)
    if not runs:
        raise ValueError("there is no finished run in --runs.")
    for name, texts in _differing(runs, also).items():
        raise ValueError(f"the runs in --runs differ in --{name}: {', '.join(texts)}.")
    by_setting = grouped(runs, lambda results: results.setting)
    return [Variant(setting, members) for setting, members in by_setting.items()]


def grouped(items: Iterable[_Item], key: Callable[[_Item], Any]) -> dict[Any, list[_Item]]:
    """Returns items by what `key` makes of them, in the order in which they come."""
    groups: dict[Any, list[_Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _differing(runs: Iterable[Results], also: Collection[str] = ()) -> dict[str, list[str]]:
    """Returns the flags that keep runs from being shown together, each with its values."""
    settings = [results.setting.texts() for results in runs]
    values = {
        flag.name: sorted({texts.get(flag.name, "not set") for texts in settings})
        for flag in _FLAGS
        if flag.name not in _VARYING and flag.name not in also
    }
    return {name: texts for name, texts in values.items() if len(texts) > 1}


def lines_over_number(variants: Sequence[Variant]) -> list[list[Variant]]:
    """Returns the variants that differ only in the number of their search, such as k, by it."""
    numbered = [variant for variant in variants if variant.defense.number]

    def others(variant: Variant) -> tuple:
        defense = variant.defense
        kind = type(defense.search), defense.method, defense.images
        return (*kind, dataclasses.replace(variant.setting, defense="std"))

    lines = grouped(numbered, others).values()
    size = lambda variant: variant.defense.search.num_candidates  # noqa: E731
    return [sorted(line, key=size) for line in lines if len(line) > 1]


def lines_over(variants: Sequence[Variant], field: str) -> list[list[Variant]]:
    """Returns the variants that differ only in a field of their setting, by it."""
    others = lambda variant: dataclasses.replace(variant.setting, **{field: _unset(field)})  # noqa: E731
    lines = grouped(variants, others).values()
    return [sorted(line, key=lambda variant: getattr(variant.setting, field)) for line in lines]


def _unset(field: str) -> Any:
    (default,) = (flag.default for flag in _FLAGS if flag.field == field)
    return default


def names(variants: Sequence[Variant], without: Collection[str] = ()) -> list[str]:
    """Returns names such as "KL nat Wo-10", with what else tells the variants apart.

    Args:
      variants: each gets a name.
      without: flags that no name says.
    """
    return [
        " ".join([name(variant), *differences(variant, variants, without)]) for variant in variants
    ]


def name(variant: Variant) -> str:
    """Returns a variant's name by itself, such as "KL nat Wo-10 λ=2"."""
    defense = variant.defense
    images = "" if defense.images == "rob" or defense.method.startswith("std") else defense.images
    weight = "" if variant.is_papers else f"λ={variant.weight:g}"
    return " ".join(filter(None, (defense.method, images, variant.search, weight)))


def differences(
    variant: Variant, variants: Sequence[Variant], without: Collection[str] = ()
) -> list[str]:
    """Returns what tells a variant apart beside defense and lambda: of networks, or of one defense.

    Args:
      variant: one of the others.
      variants: all of them.
      without: flags that are left out.
    """
    apart = []
    for flag, text in variant.setting.texts().items():
        of_network = flag in ("model", "width")
        peers = [
            other.setting.texts().get(flag)
            for other in variants
            if of_network or other.setting.defense == variant.setting.defense
        ]
        if flag not in ("defense", "lambda", *without) and len(set(peers)) > 1:
            apart.append(text if flag == "model" else f"{flag}={text}")
    return apart
