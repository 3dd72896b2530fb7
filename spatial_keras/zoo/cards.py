"""Card: what there is to know of a trained classifier before one relies on it."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from spatial_keras.support import files

# Of the images that cards are of: where they come from, and their licence.
SOURCES = {
    "digits": (
        "scikit-learn's copy of Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, "
        "1998), https://archive.ics.uci.edu/dataset/80, enlarged from 8x8 to 32x32",
        "CC BY 4.0",
    ),
    "cifar10": (
        "CIFAR-10 (A. Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html",
        "none stated by its author",
    ),
}


@dataclasses.dataclass(frozen=True)
class Card:
    """What a classifier is, how it was made, and what was measured.

    Attributes:
      name: of the classifier.
      purpose: what it is for.
      known_failures: what it is known to get wrong, a sentence each.
      network: the arguments of `models.get`; empty where it was not built by it.
      weights: the SHA-256 of the file of the weights; of a classifier outside of the zoo that of
        its layers and weights (`classifiers.loading.fingerprint`).
      data: "name", "source" and "licence" of the images.
      training: "command", "defense", "steps", "seed", "images" and "versions"; empty where they are
        not known.
      evaluation: "command", "transformations" (the set S, in words) and "versions".
      measures: of each measure, by its name, "accuracy" with the ends "low" and "high" of its 95%
        interval, in [0, 1], and how many "images".
    """

    name: str
    purpose: str = ""
    known_failures: tuple[str, ...] = ()
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    weights: str = ""
    data: dict[str, str] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    evaluation: dict[str, Any] = dataclasses.field(default_factory=dict)
    measures: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Returns the card as the text of a JSON file."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def data_of(name: str) -> dict[str, str]:
    """Returns what a card says of the data set of this name; empty texts where nothing is known."""
    source, licence = SOURCES.get(name, ("", ""))
    return {"name": name, "source": source, "licence": licence}


def read(path: str | os.PathLike) -> Card:
    """Returns the card in a JSON file.

    Raises:
      ValueError: there is none, or it cannot be read.
    """
    kinds = {field.name: field.type.split("[")[0] for field in dataclasses.fields(Card)}
    with files.failures_in_one_line(f"card '{path}' cannot be read"):
        found = json.loads(files.regular(path).read_text(encoding="utf-8"))
        card = Card(**{**found, "known_failures": tuple(found.get("known_failures", ()))})
        wrong = [name for name, kind in kinds.items() if type(vars(card)[name]).__name__ != kind]
        if wrong:
            raise ValueError(f"'{wrong[0]}' must be of type {kinds[wrong[0]]}")
    return card
