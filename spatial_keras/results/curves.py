"""Variants as the curves of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from spatial_keras import figures
from spatial_keras.results import variants as by_variant
from spatial_keras.results.variants import Variant
from spatial_keras.training import passes


def over_lambda(variants: Iterable[Variant]) -> list[figures.Curve]:
    """Returns the accuracies over lambda, a curve for each defense with several of them."""
    weighted = [variant for variant in variants if variant.weight is not None]
    lines = _several(by_variant.lines_over(weighted, "lambda_"))
    drawn = sum(lines, [])
    has_searches = len({variant.search for variant in drawn}) > 1
    curves = []
    for line in lines:
        search = line[0].search if has_searches else ""
        curves.append(of_lambda(line, search, *by_variant.differences(line[0], drawn)))
    return curves


def of_lambda(line: Sequence[Variant], *differences: str) -> figures.Curve:
    """Returns the accuracies of variants over their lambda, named by what they share.

    Args:
      line: the variants.
      differences: what else tells the curve apart; empty texts are left out.
    """
    defense = line[0].defense
    name = ", ".join(filter(None, (defense.method, defense.images, *differences)))
    return _curve(name, defense.method, line, lambda variant: variant.weight)


def over_train_images(variants: Sequence[Variant]) -> list[figures.Curve]:
    """Returns the accuracies over the number of training images, a curve for each defense."""
    lines = _several(by_variant.lines_over(variants, "train_images"))
    drawn = sum(lines, [])
    curves = []
    for line in lines:
        group = by_variant.name(line[0])
        name = " ".join([group, *by_variant.differences(line[0], drawn, ["train_images"])])
        curves.append(_curve(name, group, line, lambda variant: variant.setting.train_images))
    return curves


def over_passes(variants: Sequence[Variant]) -> list[figures.Curve]:
    """Returns the accuracies over what training costs, a curve for each recipe.

    The cost is in thousands of network passes, for an image of the batch (`training.passes`).

    Args:
      variants: those of one recipe differ in the number of steps only.
    """
    curves = []
    for line in by_variant.lines_over(variants, "steps"):
        group = by_variant.name(line[0])
        name = ", ".join([group, *by_variant.differences(line[0], variants, ["steps"])])
        curves.append(_curve(name, group, line, lambda variant: _passes(variant) / 1000))
    return curves


def accuracies(variants: Iterable[Variant], measure: str) -> np.ndarray:
    """Returns mean and standard error of a measure, [variants, 2]; an error of 0 for one run."""
    statistics = [variant.row.statistics(measure) for variant in variants]
    return np.array([(mean, error or 0.0) for mean, error in statistics])


def _several(lines: Iterable[list[Variant]]) -> list[list[Variant]]:
    return [line for line in lines if len(line) > 1]


def _passes(variant: Variant) -> int:
    setting = variant.setting
    search_from = int(setting.search_from * setting.steps)
    return passes.of_training(variant.defense, setting.steps, search_from)


def _curve(
    name: str, group: str, line: Iterable[Variant], x: Callable[[Variant], Any]
) -> figures.Curve:
    line = sorted(line, key=x)
    grid, natural = (accuracies(line, measure) for measure in ("grid", "natural"))
    return figures.Curve(name, group, np.array([x(variant) for variant in line]), grid, natural)
