"""What in a model's file would run code of whoever wrote it; found before Keras reads the file.

Keras's own safe mode is not enough: Keras 2.15 has none for HDF5 files, and in it a configuration
may name any function of any module. So a configuration may name here what Keras itself offers and
what this process has registered, and nothing else.
"""

from __future__ import annotations

import json
import pathlib
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import tensorflow as tf

# Layers that hold Python code, or operations by name, or another model's graph.
_CODE = frozenset(
    "Lambda __lambda__ TensorFlowOpLayer ClassMethod InstanceMethod TFSMLayer TorchModuleWrapper "
    "FlaxLayer JaxLayer".split()
)
# How Keras writes values that JSON has not.
_VALUES = frozenset(
    "__tensor__ __numpy__ __bytes__ __ellipsis__ __slice__ __tuple__ __keras_tensor__".split()
)
_MODULES = re.compile(
    r"keras(\.(src\.)?(layers|initializers|regularizers|constraints|activations|losses|metrics"
    r"|optimizers|random|models|dtype_policies|mixed_precision|quantizers|ops|engine)(\.\w+)*"
    r"|\.src\.applications\.(convnext|inception_resnet_v2))?"
)
_FUNCTIONS = (
    tf.keras.activations,
    tf.keras.constraints,
    tf.keras.initializers,
    tf.keras.losses,
    tf.keras.metrics,
    tf.keras.regularizers,
)
# Of TensorFlow's operations by name, those that only compute.
_COMPUTES = re.compile(
    r"(?!py_function|numpy_function|print|function|load_)"
    r"((__operators__|math|nn|linalg|image|signal|random|bitwise|keras\.(backend|activations))\.)?"
    r"\w+"
)
# TensorFlow's kernels that call Python, reach files or other machines.
_KERNELS = re.compile(
    r"PyFunc|WriteFile|ReadFile|WholeFile|MatchingFiles|Dataset|Iterator|Reader|Summary|^Print"
    r"|^Debug|Remote|Collective|^Send|^Recv|DistributedSave"
)


def dangers(path: pathlib.Path) -> list[str]:
    """Returns what loading a model would run or reach that a model has no need of.

    Args:
      path: a `.keras` or `.h5` file, or the folder of a SavedModel.

    Raises:
      Exception: it cannot be read; what, depends on how it is damaged.
    """
    return list(dict.fromkeys(_of_saved_model(path) if path.is_dir() else _of_file(path)))


def _of_file(path: pathlib.Path) -> Iterator[str]:
    # A file may be both, and its name says nothing.
    is_archive, is_hdf5 = zipfile.is_zipfile(path), h5py.is_hdf5(path)
    if not (is_archive or is_hdf5):
        raise ValueError("it is neither a .keras archive nor an HDF5 file")
    if is_archive:
        with zipfile.ZipFile(path) as archive:
            yield from (f"pickled {name}" for name in archive.namelist() if name.endswith(".npz"))
            config = json.loads(archive.read("config.json"))
        # The models are loaded without their losses and metrics, which may be the user's own.
        config.pop("compile_config", None)
        yield from _of_config(config)
    if is_hdf5:
        with h5py.File(path) as file:
            yield from _of_config(json.loads(file.attrs.get("model_config", "null")))


def _of_config(config: Any) -> Iterator[str]:
    """Yields what is dangerous in a model's configuration, at any depth."""
    if isinstance(config, dict):
        if "class_name" in config and not _is_harmless(config):
            yield _shown(config)
        config = config.values()
    elif not isinstance(config, list):
        return
    for part in config:
        yield from _of_config(part)


def _is_harmless(config: dict[str, Any]) -> bool:
    name, module = config["class_name"], config.get("module")
    if name in _VALUES:
        return True
    if name == "function":
        name, inside = config.get("config"), module in (None, "builtins") or _is_keras(module)
        is_keras = inside and isinstance(name, str) and any(hasattr(m, name) for m in _FUNCTIONS)
        return is_keras or _is_registered(name)
    if name in ("TFOpLambda", "SlicingOpLambda"):
        inner = config.get("config")
        return isinstance(inner, dict) and _matches(_COMPUTES, inner.get("function"))
    if _is_registered(config.get("registered_name") or name):
        return name not in _CODE
    is_class = _matches(re.compile(r"[A-Z]\w*"), name) and name not in _CODE
    return is_class and (module is None or _is_keras(module))


def _is_keras(module: Any) -> bool:
    return _matches(_MODULES, module)


def _is_registered(name: Any) -> bool:
    return isinstance(name, str) and tf.keras.utils.get_registered_object(name) is not None


def _matches(pattern: re.Pattern, text: Any) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _shown(config: dict[str, Any]) -> str:
    """Returns what a configuration names, such as "Lambda" or "os.system"."""
    name, module = config["class_name"], config.get("module")
    if name == "function" or name == "__typespec__":
        name = config.get("config" if name == "function" else "spec_name")
    if name in ("TFOpLambda", "SlicingOpLambda"):
        name, module = f"tf.{(config.get('config') or {}).get('function')}", None
    is_own = name in _CODE or module in (None, "builtins")
    return str(name if is_own else f"{module}.{name}")[:80]


def _of_saved_model(path: pathlib.Path) -> Iterator[str]:
    from tensorflow.core.protobuf import saved_model_pb2

    if (path / "saved_model.cpb").exists():  # which TensorFlow would read instead
        raise ValueError("it is in parts")
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((path / "saved_model.pb").read_bytes())
    for graph in (meta_graph.graph_def for meta_graph in model.meta_graphs):
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        yield from (f"the operation {node.op}" for node in nodes if _KERNELS.search(node.op))
