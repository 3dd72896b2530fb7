"""Trained classifiers to take home: their weights, and a card that says what each is good for."""

from spatial_keras.zoo.cards import Card
from spatial_keras.zoo.classifiers import card, load, names, pack

__all__ = ["Card", "card", "load", "names", "pack"]
