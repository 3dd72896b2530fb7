"""The versions of what results depend on."""

from __future__ import annotations

import platform

import numpy as np
import tensorflow as tf


def found() -> dict[str, str]:
    """Returns the versions of what the results depend on."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "machine": _machine(),
    }


def _machine() -> str:
    """Returns which kind of GPU computes, or else of CPU."""
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    names = [of_one.get("device_name", "GPU") for of_one in details]
    return ", ".join(dict.fromkeys(names)) or platform.processor() or platform.machine()
