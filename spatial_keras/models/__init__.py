"""Networks by name; each is a function that returns a functional tf.keras.Model."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf

from spatial_keras import validation
from spatial_keras.models.resnet import resnet

NAMES = tuple(f"resnet{depth}" for depth in (8, 14, 20, 32, 44, 56))


def get(name: str, **options: Any) -> tf.keras.Model:
    """Builds the network of this name.

    Args:
      name: "resnet" and a depth 6n + 2, e.g. "resnet32".
      **options: num_classes, input_shape, width; see `resnet`.

    Raises:
      ValueError: no network has this name.
    """
    depth = re.fullmatch(r"resnet(\d+)", name)
    if not depth:
        raise ValueError(validation.unknown_name("model", name, NAMES))
    return resnet(int(depth[1]), **options)
