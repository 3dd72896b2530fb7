"""Finished runs by variant: what they were trained with, apart from the seed."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spatial_keras import figures
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results import table
from spatial_keras.training import defenses, passes

# What runs may differ in to be drawn together: each such variant is a point or line of its own.
_VARYING = (
    "defense", "lambda", "model", "width", "search_from", "pgd_step_sizes", "pgd_start",
    "grid_counts",
)  # fmt: skip
# What is recorded of a run that does not say otherwise.
_DEFAULTS = RunConfig().texts()
# What makes no difference, or what standard errors are over.
_REPEATS = ("seed", "checkpoint_every", "log_every", "training_accuracy_images")


@dataclasses.dataclass(frozen=True, eq=False)
class Variant:
    """Runs that differ in their seeds only.

    Attributes:
      defense: what they were trained with.
      weight: lambda; None where the loss has no regularizer.
      others: their other flags by which variants differ, name -> text.
      row: their results.
    """

    defense: defenses.Defense
    weight: float | None
    others: dict[str, str]
    row: table.Row

    @property
    def is_papers(self) -> bool:
        """Whether lambda is the paper's."""
        return self.weight in (None, self.defense.regularizer_weight)

    @property
    def method(self) -> str:
        """The defense without its search and its images, as the paper writes it."""
        return self.defense.method

    @property
    def batch(self) -> str:
        """The images that the cross-entropy is on: "rob", "nat" or "mix"."""
        return self.defense.images

    @property
    def search(self) -> str:
        """The search, as the paper writes it; nothing for std and std*."""
        if self.method.startswith("std"):
            return ""
        return self.defense.search.in_paper


def comparable(
    runs: Mapping[pathlib.Path, dict[str, Any]],
) -> dict[str, dict[pathlib.Path, dict[str, Any]]]:
    """Returns finished runs in lots, each of which `group` takes.

    Args:
      runs: run's folder -> results.

    Returns:
      What tells a lot apart, such as "--steps=400", nothing if there is one lot only -> its runs.
    """
    names = _differing(list(runs.values()))
    lots: dict[str, dict[pathlib.Path, dict[str, Any]]] = {}
    for folder, results in runs.items():
        values = results["flags"]
        texts = [
            f"--{name}={flag(values, name)}" if flag(values, name) else f"no --{name}"
            for name in names
        ]
        lots.setdefault(", ".join(texts), {})[folder] = results
    return lots


def group(runs: Sequence[dict[str, Any]], also: Sequence[str] = ()) -> list[Variant]:
    """Returns runs by variant.

    Args:
      runs: what train.py wrote into results.json, of each.
      also: flags in which variants may differ too, such as "train_images".

    Raises:
      ValueError: there are none, or they cannot be compared.
    """
    if not runs:
        raise ValueError("there is no finished run in --runs.")
    for name, values in _differing(runs, also).items():
        raise ValueError(f"the runs in --runs differ in --{name}: {', '.join(values)}.")
    by_variant: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        by_variant.setdefault(_key(run["flags"], also), []).append(run)
    found = []
    for (defense, weight, *others), mine in by_variant.items():
        texts = dict(zip((*_VARYING[2:], *also), others))
        row = table.Row(defense, mine, [])
        found.append(Variant(defenses.get(defense), weight, texts, row))
    return found


def _differing(runs: Sequence[dict[str, Any]], also: Sequence[str] = ()) -> dict[str, list[str]]:
    """Returns the flags that keep runs from being drawn together, each with its values."""
    allowed = {*_VARYING, *_REPEATS, *also}
    names = sorted({name for run in runs for name in run["flags"]} - allowed)
    values = {
        name: sorted({flag(run["flags"], name) or "not set" for run in runs}) for name in names
    }
    return {name: found for name, found in values.items() if len(found) > 1}


def flag(values: Mapping[str, str], name: str) -> str:
    """Returns a flag's text; of a run of before the flag was there, its default.

    Args:
      values: the flags in results.json, name -> text.
      name: without dashes.
    """
    return values.get(name, _DEFAULTS.get(name, ""))


def regularizer_weight(values: Mapping[str, str]) -> float | None:
    """Returns a run's lambda; None where the loss has no regularizer.

    Args:
      values: the flags in results.json, name -> text.
    """
    defense = defenses.get(values["defense"])
    if "lambda" in values:
        return float(values["lambda"])
    return defense.regularizer_weight if defense.regularizer else None


def _key(values: dict[str, str], also: Sequence[str]) -> tuple:
    others = (flag(values, name) for name in (*_VARYING[2:], *also))
    return (defenses.get(values["defense"]).name, regularizer_weight(values), *others)


def lines_over_k(found: Sequence[Variant]) -> list[list[int]]:
    """Returns the numbers of the variants that differ only in k, or their search's other number."""
    lines: dict[tuple, list[int]] = {}
    for i, one in enumerate(found):
        if one.defense.number:
            key = (one.defense.search.prefix, one.method, one.batch, one.weight)
            lines.setdefault((*key, *one.others.values()), []).append(i)
    by_k = [
        sorted(line, key=lambda i: found[i].defense.search.num_candidates)
        for line in lines.values()
    ]
    return [line for line in by_k if len(line) > 1]


def point_names(found: Sequence[Variant]) -> list[str]:
    """Returns names such as "KL nat Wo-10", with what else tells the variants apart."""
    names = []
    for one in found:
        batch = "" if one.batch == "rob" or one.method.startswith("std") else one.batch
        weight = "" if one.is_papers else f"λ={one.weight:g}"
        parts = (one.method, batch, one.search, weight, *differences(one, found))
        names.append(" ".join(part for part in parts if part))
    return names


def differences(one: Variant, found: Sequence[Variant]) -> list[str]:
    """Returns a variant's other flags that tell it apart: of networks, or of one defense."""
    texts = []
    for name, text in one.others.items():
        of_network = name in ("model", "width")
        peers = [other for other in found if of_network or other.defense == one.defense]
        if text and len({other.others[name] for other in peers}) > 1:
            texts.append(text if name == "model" else f"{name}={text}")
    return texts


def lambda_curve(line: Sequence[Variant], *differences: str) -> figures.Curve:
    """Returns the accuracies of variants that differ in lambda, named by what they share.

    Args:
      line: the variants.
      differences: what else tells the curve apart; empty texts are left out.
    """
    line = sorted(line, key=lambda one: one.weight)
    first = line[0]
    name = ", ".join(part for part in (first.method, first.batch, *differences) if part)
    weights = np.array([one.weight for one in line])
    grid, natural = (accuracies(line, measure) for measure in ("grid", "natural"))
    return figures.Curve(name, first.method, weights, grid, natural)


def sample_curves(found: Sequence[Variant]) -> list[figures.Curve]:
    """Returns the accuracies over the number of training images, a curve for each defense.

    Args:
      found: variants that may differ in "train_images"; those without take all images and are
        left out, as are curves of a single point.
    """
    lines: dict[tuple, list[Variant]] = {}
    for one in found:
        if one.others["train_images"]:
            others = (text for name, text in one.others.items() if name != "train_images")
            lines.setdefault((one.defense.name, one.weight, *others), []).append(one)
    chosen = [line for line in lines.values() if len(line) > 1]
    every = [one for line in chosen for one in line]
    curves = []
    for line in chosen:
        line.sort(key=lambda one: int(one.others["train_images"]))
        (name,) = point_names(line[:1])
        apart = [text for text in differences(line[0], every) if "train_images" not in text]
        numbers = np.array([int(one.others["train_images"]) for one in line])
        grid, natural = (accuracies(line, measure) for measure in ("grid", "natural"))
        curves.append(figures.Curve(" ".join((name, *apart)), name, numbers, grid, natural))
    return curves


def cost_curves(found: Sequence[Variant]) -> list[figures.Curve]:
    """Returns the accuracies over what training costs, a curve for each recipe.

    The cost is in thousands of network passes, for an image of the batch (`training.passes`).

    Args:
      found: variants that may differ in "steps", "schedule" and "optimizer"; those of one recipe
        differ in the number of steps only.
    """
    recipes: dict[tuple, list[Variant]] = {}
    for one in found:
        others = (text for name, text in one.others.items() if name != "steps")
        recipes.setdefault((one.defense.name, one.weight, *others), []).append(one)
    curves = []
    for line in recipes.values():
        line.sort(key=_passes)
        (name,) = point_names(line[:1])
        apart = [text for text in differences(line[0], found) if "steps" not in text]
        costs = np.array([_passes(one) / 1000 for one in line])
        grid, natural = (accuracies(line, measure) for measure in ("grid", "natural"))
        curves.append(figures.Curve(", ".join((name, *apart)), name, costs, grid, natural))
    return curves


def _passes(one: Variant) -> int:
    steps = int(one.others["steps"])
    search_from = int(float(one.others["search_from"]) * steps)
    counts = [int(count) for count in one.others["grid_counts"].split(",") if count]
    defense = one.defense.with_options({"grid_counts": counts} if counts else {})
    return passes.of_training(defense, steps, search_from)


def accuracies(found: Sequence[Variant], measure: str) -> np.ndarray:
    """Returns mean and standard error of a measure, [variants, 2]; an error of 0 for one run."""
    return np.array([mean_and_error(one.row.statistics(measure)) for one in found])


def mean_and_error(statistics: tuple[float, float | None]) -> tuple[float, float]:
    """Returns the statistics with an error of 0 where there is none, of one run."""
    mean, error = statistics
    return mean, error or 0.0
