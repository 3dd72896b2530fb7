"""SavedModels: their functions are looked at, and TensorFlow is given these alone."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from spatial_keras.classifiers import harmless
from spatial_keras.support import files, validation

_GRAPH, _WEIGHTS = "saved_model.pb", "variables"
_MOST_BYTES = 1 << 30  # of the graph; the weights lie beside it


class SavedModel:
    """The folder of a SavedModel.

    Args:
      path: the folder.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def dangers(self) -> list[str]:
        """Returns what its functions do that is not known to be harmless.

        Raises:
          Exception: it cannot be read; what, depends on how it is damaged.
        """
        files.check_tree(self._path)
        library = _functions(self._path).meta_graphs[0].graph_def.library
        operations = {node.op for function in library.function for node in function.node_def}
        unknown = sorted(operations - harmless.names("operations"))
        return [f"the operation {name}" for name in unknown]

    def load(self, unsafe: bool) -> Callable[..., tf.Tensor]:
        """Returns the signature `serving_default` as a function of images."""
        if unsafe:
            return _Signature(tf.saved_model.load(str(self._path)))
        with tempfile.TemporaryDirectory() as folder:
            there = pathlib.Path(folder)
            (there / _GRAPH).write_bytes(_functions(self._path).SerializeToString())
            if (self._path / _WEIGHTS).exists():
                (there / _WEIGHTS).symlink_to((self._path / _WEIGHTS).resolve())
            return _Signature(tf.saved_model.load(folder))


def _functions(path: pathlib.Path) -> Any:
    """The SavedModel with its functions alone, without those that write and read the weights.

    TensorFlow reads the weights by itself, and of the graph nothing but the library of functions.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString(files.regular(path / _GRAPH, _MOST_BYTES).read_bytes())
    (graph,) = model.meta_graphs
    if not graph.HasField("object_graph_def"):
        raise ValueError("it is of TensorFlow 1")
    library, saver = graph.graph_def.library, graph.saver_def
    of_saver = (saver.save_tensor_name.partition(":")[0], saver.restore_op_name)
    nodes = (node for node in graph.graph_def.node if node.name in of_saver)
    left_out = {node.attr["f"].func.name for node in nodes}
    kept = [each for each in library.function if each.signature.name not in left_out]
    del library.function[:], graph.graph_def.node[:]
    library.function.extend(kept)
    graph.ClearField("saver_def")
    return model


class _Signature:
    """The signature of a SavedModel, as a function of images."""

    def __init__(self, loaded: Any) -> None:
        name = validation.check_name("signature", "serving_default", list(loaded.signatures))
        # A signature needs the object that it came from.
        self._loaded, self._signature = loaded, loaded.signatures[name]
        arguments = self._signature.structured_input_signature[1]
        if len(arguments) > 1:
            raise ValueError(f"it must take images alone, it takes {', '.join(arguments)}")
        ((self._argument, self._spec),) = arguments.items()
        self.variables = self._signature.variables

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._signature(**{self._argument: tf.cast(images, self._spec.dtype)})
