"""The classifiers of the zoo: weights in 16 bits, each beside its card."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pathlib

import numpy as np
import tensorflow as tf

from spatial_keras import models
from spatial_keras.support import files, validation
from spatial_keras.zoo import cards
from spatial_keras.zoo.cards import Card

# How flags name them among other classifiers.
PREFIX = "zoo:"
FOLDER = pathlib.Path(__file__).parent / "weights"


def names() -> tuple[str, ...]:
    """Returns the names of all classifiers, such as "digits_resnet8_wo10_kl"."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.npz")))


def card(name: str) -> Card:
    """Returns the card of a classifier.

    Args:
      name: one of `names()`, with PREFIX before it or without.

    Raises:
      ValueError: there is no classifier of this name.
    """
    name = name.removeprefix(PREFIX)
    validation.check_name("classifier of the zoo", name, names())
    return cards.read(FOLDER / f"{name}.json")


def load(name: str) -> tf.keras.Model:
    """Returns a classifier: pixel values 0..255, [batch, height, width, channels] -> logits.

    Args:
      name: one of `names()`, with PREFIX before it or without.

    Raises:
      ValueError: there is no such classifier, or its weights are not those that its card is of.
    """
    known = card(name)
    content = (FOLDER / f"{known.name}.npz").read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != known.weights:
        raise ValueError(
            f"the weights of '{known.name}' have the SHA-256 {found}, those of its card "
            f"{known.weights}: the file was changed or damaged. Install the package anew."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        weights = list(arrays.values())
    network = models.get(**known.network)
    network.set_weights([weight.astype(np.float32) for weight in weights])
    return network


def pack(classifier: tf.keras.Model, known: Card) -> Card:
    """Writes a classifier's weights, in 16 bits, and its card; returns the card.

    Args:
      classifier: whose network the card names.
      known: the card, whose hash is filled in.

    Raises:
      ValueError: 16 bits are too few for a weight.
    """
    weights = classifier.get_weights()
    if not all((np.abs(weight) <= np.finfo(np.float16).max).all() for weight in weights):
        raise ValueError(f"'{known.name}' has a weight that is too large for 16 bits.")
    content = io.BytesIO()
    # By their places: Keras 2 and 3 name them differently, and have them in the same order.
    np.savez(content, **{f"{i:03}": weight.astype(np.float16) for i, weight in enumerate(weights)})
    known = dataclasses.replace(known, weights=hashlib.sha256(content.getvalue()).hexdigest())
    FOLDER.mkdir(exist_ok=True)
    files.write(FOLDER / f"{known.name}.npz", lambda path: path.write_bytes(content.getvalue()))
    files.write_text(FOLDER / f"{known.name}.json", known.to_json())
    return known
