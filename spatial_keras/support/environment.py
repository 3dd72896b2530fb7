"""What TensorFlow reads from the environment when it is imported; imported before it."""

from __future__ import annotations

import os
import sys
import warnings

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def prepare() -> None:
    """Turns oneDNN on, and TensorFlow's C++ messages off in a command, where the user has not.

    TensorFlow leaves oneDNN off on processors without instructions for neural networks (VNNI),
    and is up to four times slower there. It reads both variables once: if it was imported before
    and oneDNN is off, a warning says what to do.
    """
    # Python's name for what it runs while it imports the package of `python -m spatial_keras`.
    if sys.argv[:1] == ["-m"]:
        os.environ.setdefault(LOG_LEVEL, "3")
    if ONEDNN in os.environ:
        return
    if "tensorflow" not in sys.modules:
        os.environ[ONEDNN] = "1"
    elif _onednn_would_help():
        warnings.warn(
            "oneDNN is off, which makes TensorFlow up to 4 times slower on this processor: "
            f"import spatial_keras before tensorflow, or set {ONEDNN}=1.",
            stacklevel=4,  # the module that imports the package
        )


def _onednn_would_help() -> bool:
    """Returns whether TensorFlow computes on the CPU, has oneDNN and does not use it."""
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port  # the one place that knows it

    if sys.platform == "darwin":  # built without oneDNN
        return False
    return not (_pywrap_util_port.IsMklEnabled() or tf.config.list_physical_devices("GPU"))


prepare()
