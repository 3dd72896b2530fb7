"""The leaderboard: classifiers by grid accuracy, of their cards, and what others published."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Sequence

import spatial_keras.zoo
from spatial_keras.support import tables
from spatial_keras.zoo.cards import Card

MEASURES = ("natural", "random", "grid", "attack")
_PUBLISHED = pathlib.Path(spatial_keras.zoo.__file__).with_name("published.json")
_HEAD = """# Leaderboard

Classifiers by grid accuracy: the share of images that are right under all transformations of a
grid ([evaluation](evaluation.md)). In %, in brackets 95% intervals over the images. The names:
[defenses](defenses.md), [networks](networks.md), [the zoo](zoo.md).

`spatial-keras zoo --leaderboard=docs/leaderboard.md` makes this page from the cards of the zoo;
`--cards=FILE,FILE` adds cards that `spatial-keras evaluate --card=FILE` wrote.
"""
_THEIRS = """## Published by others

Not measured here. Networks, training and grids differ from ours, and from each other.
"""


def accuracy(card: Card, measure: str, key: str = "accuracy") -> str:
    """Returns an accuracy, or an end of its interval, in %, such as "91.9"; "-" without."""
    found = card.measures.get(measure)
    return "-" if found is None else tables.rounded(100 * found[key], 1)


def _with_interval(card: Card, measure: str) -> str:
    """Returns an accuracy in % with its interval, such as "91.9 (88.7 to 94.3)"; "-" without."""
    mean, low, high = (accuracy(card, measure, key) for key in ("accuracy", "low", "high"))
    return mean if mean == "-" else f"{mean} ({low} to {high})"


def ranked(cards: Sequence[Card]) -> list[Card]:
    """Returns the cards of each data set together, the highest grid accuracy first."""
    return sorted(
        cards,
        key=lambda card: (
            _task(card), -card.measures.get("grid", {}).get("accuracy", -1), card.name
        ),
    )  # fmt: skip


def markdown(cards: Sequence[Card]) -> str:
    """Returns the page."""
    parts = [_HEAD]
    for task, members in itertools.groupby(ranked(cards), _task):
        header = ["classifier", "defense", *(f"{name}, %" for name in MEASURES), "steps"]
        rows = [
            [
                tables.escaped(card.name),
                tables.escaped(str(card.training.get("defense", "-"))),
                *(_with_interval(card, measure) for measure in MEASURES),
                str(card.training.get("steps", "-")),
            ]
            for card in members
        ]
        parts.append(f"## {tables.escaped(task)}\n\n{tables.markdown(header, rows)}\n")
    parts.append(_THEIRS)
    for group in json.loads(_PUBLISHED.read_text(encoding="utf-8")):
        rows = [[name, f"{natural:.1f}", f"{grid:.1f}"] for name, natural, grid in group["rows"]]
        table = tables.markdown(["model", "natural, %", "grid, %"], rows)
        parts.append(f"{group['data']}; {group['source']}:\n\n{table}\n")
    return "\n".join(parts)


def _task(card: Card) -> str:
    """Returns what has to be equal for two cards to be compared."""
    images = next((int(one["images"]) for one in card.measures.values()), 0)
    box = card.evaluation.get("transformations", "nothing measured")
    return f"{card.data.get('name', '-')}, {images:,} images, {box}"
