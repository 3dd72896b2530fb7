"""Keras's own files, `.keras` and `.h5`, looked at before Keras reads them.

Keras's safe mode is not enough: Keras 2.15 has none for HDF5 files, and in it a configuration may
name any function of any module. So a configuration may name here what `harmless` knows and what
this process has registered, and nothing else.
"""

from __future__ import annotations

import inspect
import json
import math
import pathlib
import re
import sys
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import h5py
import tensorflow as tf

from spatial_keras.classifiers import harmless
from spatial_keras.support import files

# What an archive of Keras holds.
_MEMBERS = re.compile(r"metadata\.json|config\.json|model\.weights\.h5|assets/.*")
# How Keras writes values that JSON has not.
_VALUES = frozenset(
    "__tensor__ __numpy__ __bytes__ __ellipsis__ __slice__ __tuple__ __keras_tensor__ "
    "TensorShape".split()
)
_MODELS = frozenset("Functional Sequential Model".split())
_POLICIES = frozenset("DTypePolicy FloatDTypePolicy Policy".split())
# Whose classes and functions only compute.
_CLASSES = (
    tf.keras.constraints,
    tf.keras.initializers,
    tf.keras.losses,
    tf.keras.metrics,
    tf.keras.optimizers,
    tf.keras.optimizers.schedules,
    tf.keras.regularizers,
)
_FUNCTIONS = (tf.keras.activations, tf.keras.losses, tf.keras.metrics)
# Keras 3 writes operations on tensors as classes of these modules.
_OPERATIONS = re.compile(r"keras\.src\.ops\.(numpy|nn|math|linalg|image)")


class KerasFile:
    """A `.keras` or `.h5` file.

    Args:
      path: the file, or a link to it.

    Raises:
      ValueError: it is no regular file.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = files.regular(path, sys.maxsize, links=True)

    def dangers(self) -> list[str]:
        """Returns what it holds that is not known to be harmless.

        Raises:
          Exception: it cannot be read; what, depends on how it is damaged.
        """
        return list(dict.fromkeys(_of_file(self._path)))

    def load(self, unsafe: bool) -> tf.keras.Model:
        """Returns the model."""
        return tf.keras.models.load_model(self._path, compile=False, safe_mode=not unsafe)


def _of_file(path: pathlib.Path) -> Iterator[str]:
    # A file may be both, and its name says nothing.
    is_archive, is_hdf5 = zipfile.is_zipfile(path), h5py.is_hdf5(path)
    if not (is_archive or is_hdf5):
        raise ValueError("it is neither a .keras archive nor an HDF5 file")
    if is_archive:
        yield from _of_archive(path)
    if is_hdf5:
        with h5py.File(path) as file:
            yield from _of_hdf5(file, path.stat().st_size)
            yield from _of_config(json.loads(file.attrs.get("model_config", "null")))


def _of_archive(path: pathlib.Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        yield from (
            f"the member {member.filename}"
            for member in members
            if not _MEMBERS.fullmatch(member.filename)
        )
        # Keras does not compress. A few bytes could be many.
        if sum(member.file_size for member in members) > path.stat().st_size:
            yield "compressed members"
            return
        texts = [member for member in members if member.filename.endswith(".json")]
        if any(member.file_size > files.MOST_TEXT for member in texts):
            yield "a configuration of many bytes"
            return
        config = json.loads(archive.read("config.json"))
        if config.get("compile_config"):  # a model is loaded without its losses and metrics
            config = {**config, "compile_config": None}
        yield from _of_config(config)
        for member in members:
            if member.filename.endswith(".h5"):
                yield from _of_weights(archive.open(member), member.file_size)


def _of_weights(opened: IO[bytes], size: int) -> Iterator[str]:
    with opened, h5py.File(opened) as file:
        yield from _of_hdf5(file, size)


def _of_hdf5(file: h5py.File, size: int) -> list[str]:
    """Returns what leads from an HDF5 file of so many bytes to others, or to many more bytes."""
    found, sizes = [], []

    def link(name: str, link: Any) -> None:
        if not isinstance(link, h5py.HardLink):
            found.append(f"the link {name}")

    def item(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(math.prod(item.shape or ()) * item.dtype.itemsize)
            if item.external or item.is_virtual:
                found.append(f"the array {name} of another file")

    file.visititems_links(link)
    file.visititems(item)
    return [*found, *(["compressed arrays"] if sum(sizes) > size else [])]


def _of_config(config: Any) -> Iterator[str]:
    """Yields what is not known to be harmless in a model's configuration, at any depth."""
    if isinstance(config, dict):
        if "class_name" in config and not _is_harmless(config):
            yield _shown(config)
        if isinstance(config.get("vocabulary"), str):  # a path
            yield f"the vocabulary {config['vocabulary'][:80]}"
        config = config.values()
    elif not isinstance(config, list):
        return
    for part in config:
        yield from _of_config(part)


def _is_harmless(config: dict[str, Any]) -> bool:
    """Returns whether Keras finds something harmless by what a configuration names."""
    name, module = config["class_name"], config.get("module") or "keras"
    registered, inner = config.get("registered_name") or name, config.get("config")
    if not all(isinstance(text, str) for text in (name, module, registered)):
        return False
    if name == "function":
        is_keras = module == "builtins" or _is_keras(module)
        return _is_registered(inner) or (is_keras and _is_in(_FUNCTIONS, inner, inspect.isfunction))
    if _is_registered(registered):
        return True
    if registered != name or not _is_keras(module):  # Keras 2.15 looks for both in the module
        return name in _VALUES
    if name in ("TFOpLambda", "SlicingOpLambda"):
        return isinstance(inner, dict) and inner.get("function") in harmless.names("functions")
    return (
        name in harmless.names("layers") | _VALUES | _MODELS | _POLICIES
        or _is_in(_CLASSES, name, inspect.isclass)
        or (_OPERATIONS.fullmatch(module) is not None and name.isidentifier())
    )


def _is_in(modules: tuple[Any, ...], name: Any, is_kind: Any) -> bool:
    """Returns whether one of some modules of Keras has such a thing; `get` reads configurations."""
    if not isinstance(name, str) or name in ("get", "serialize", "deserialize"):
        return False
    return any(is_kind(getattr(module, name, None)) for module in modules)


def _is_keras(module: str) -> bool:
    return re.fullmatch(r"keras(\.\w+)*", module) is not None


def _is_registered(name: Any) -> bool:
    return isinstance(name, str) and tf.keras.utils.get_registered_object(name) is not None


def _shown(config: dict[str, Any]) -> str:
    """Returns what a configuration names, such as "Lambda" or "os.system"."""
    name, module = config["class_name"], config.get("module")
    if name in ("function", "__typespec__"):
        name = config.get("config" if name == "function" else "spec_name")
    if name in ("TFOpLambda", "SlicingOpLambda"):
        name, module = f"tf.{(config.get('config') or {}).get('function')}", None
    is_whole = module in (None, "builtins", "keras.layers")
    return str(name if is_whole else f"{module}.{name}")[:80]
