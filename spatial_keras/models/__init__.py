"""Networks by name; each is a function that returns a functional tf.keras.Model."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from spatial_keras.models import airbench, applications, etn, g_resnet, resnet, stn, vgg
from spatial_keras.models.airbench import adapt
from spatial_keras.models.cost import multiply_adds
from spatial_keras.support import validation

__all__ = [
    "NAMES",
    "adapt",
    "airbench",
    "etn",
    "g_resnet",
    "get",
    "multiply_adds",
    "resnet",
    "stn",
    "vgg",
]

_FAMILIES = {
    "resnet": resnet.resnet,
    "vgg": vgg.vgg,
    "g_resnet": g_resnet.g_resnet,
    "stn_resnet": stn.stn_resnet,
    "etn_resnet": etn.etn_resnet,
}
NAMES = (
    *(f"resnet{depth}" for depth in (8, 14, 20, 32, 44, 56)),
    *(f"vgg{depth}" for depth in vgg.CONVOLUTIONS),
    *(f"{front}_resnet{depth}" for front in ("stn", "etn") for depth in (8, 14, 20, 32, 44, 56)),
    *(f"g_resnet{depth}" for depth in (8, 14, 20, 26, 44)),
    "airbench",
)


@contextlib.contextmanager
def _channels_last() -> Iterator[None]:
    """Builds layers for [batch, height, width, channels], whatever keras.json says."""
    said = tf.keras.backend.image_data_format()
    tf.keras.backend.set_image_data_format("channels_last")
    try:
        yield
    finally:
        tf.keras.backend.set_image_data_format(said)


@_channels_last()
def get(name: str, **options: Any) -> tf.keras.Model:
    """Builds the network of this name.

    Args:
      name: "resnet", "stn_resnet", "etn_resnet" or "g_resnet" and a depth 6n + 2, e.g. "resnet32";
        or "vgg" and 11, 13, 16 or 19; or "airbench"; or "keras:" and a name of
        tf.keras.applications, e.g. "keras:MobileNetV3Small".
      **options: num_classes, input_shape, and width, or of "keras:" weights; see the function of
        the family.

    Raises:
      ValueError: no network has this name.
    """
    if name.startswith(applications.PREFIX):
        return applications.application(name, **options)
    if name == "airbench":
        return airbench.airbench(**options)
    known = re.fullmatch(r"([a-z_]+)(0|[1-9][0-9]*)", name)
    if not known or known[1] not in _FAMILIES:
        raise ValueError(validation.unknown_name("model", name, (*NAMES, *applications.names())))
    return _FAMILIES[known[1]](int(known[2]), **options)
