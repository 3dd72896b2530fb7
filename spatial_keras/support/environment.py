"""What TensorFlow takes from the environment when it is imported; imported before it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import warnings
from collections.abc import Iterator

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_QUIET = "3"
_SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"


def is_command() -> bool:
    """Returns whether this is spatial-keras, python -m spatial_keras, or a script of the clone."""
    program = pathlib.Path(sys.argv[0] if sys.argv else "")
    # Python's name for what it runs while it imports the package of `python -m spatial_keras`.
    return (
        program.name == "-m"
        or program.name.startswith("spatial-keras")
        or (program.suffix == ".py" and program.absolute().parent == _SCRIPTS)
    )


def prepare() -> None:
    """Turns oneDNN on, where the user has not decided.

    TensorFlow leaves oneDNN off on processors without instructions for neural networks (VNNI),
    and is up to four times slower there. It reads the variable once: if it was imported before
    and oneDNN is off, a warning says what to do.
    """
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


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Within, TensorFlow is imported without its log, where the user has not asked for one.

    TensorFlow 2.21 writes some lines before it reads how much it is to say, past Python to the
    error output; what Python writes there is shown.
    """
    if os.environ.get(LOG_LEVEL, _QUIET) != _QUIET or "tensorflow" in sys.modules:
        yield
        return
    os.environ[LOG_LEVEL] = _QUIET
    errors, python = os.dup(2), sys.stderr
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        sys.stderr = os.fdopen(os.dup(errors), "w", buffering=1)
        yield
        if "tensorflow" in sys.modules:
            # It looks for GPUs when it is first asked for them, and tells.
            sys.modules["tensorflow"].config.list_physical_devices()
    finally:
        # Loggers made meanwhile keep this stream, so that it stays open.
        sys.stderr.flush()
        sys.stderr = python
        os.dup2(errors, 2)
        os.close(errors)
        os.close(nothing)


def _onednn_would_help() -> bool:
    """Returns whether TensorFlow computes on the CPU, has oneDNN and does not use it."""
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port  # the one place that knows it

    if sys.platform == "darwin":  # built without oneDNN
        return False
    return not (_pywrap_util_port.IsMklEnabled() or tf.config.list_physical_devices("GPU"))


prepare()
