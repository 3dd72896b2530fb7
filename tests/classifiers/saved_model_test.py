"""TensorFlow is given the functions of a SavedModel that only compute."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from spatial_keras.classifiers import harmless, loading
from spatial_keras.classifiers.adapter import Classifier
from spatial_keras.classifiers.saved_model import SavedModel
from tests import evaluation_cases as cases
from tests import every_layer

IMAGES = cases.images(2).astype(np.float32)
SHAPE = (12, 12, 1)
# What overwrites files, connects, listens, reads files or runs Python.
HARMFUL = (
    "Save SaveV2 SaveSlices MergeV2Checkpoints WriteFile RpcClient RpcServer RpcCall RestoreV2 "
    "Restore RestoreSlice InitializeTableFromTextFileV2 GenerateVocabRemapping LoadAndRemapMatrix "
    "DecodeProtoV2 EncodeProto ReadFile WholeFileReaderV2 TextLineDataset EagerPyFunc PyFunc "
    "RemoteCall DebugIdentityV2 XlaCallModule XlaLaunch PrintV2 CollectiveReduceV2 TRTEngineOp"
).split()


def saved(folder, function):
    """Writes a SavedModel that applies a function to images, flattens them, and has a weight."""
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    specification = tf.TensorSpec([None, *SHAPE], tf.float32)
    module.call = tf.function(
        lambda x: module.weight * tf.reshape(function(x), [-1, 144])[:, :3],
        input_signature=[specification],
    )
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.call)
    return folder / "saved"


@contextlib.contextmanager
def changed(path):
    """Lets one change the graph of a SavedModel."""
    model = saved_model_pb2.SavedModel()
    file = path / "saved_model.pb"
    model.ParseFromString(file.read_bytes())
    yield model.meta_graphs[0]
    file.write_bytes(model.SerializeToString())


@pytest.fixture(name="path", scope="module")
def path_of_a_saved_model(tmp_path_factory):
    def repeated(x):
        return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y + 1), (0, x))[1]

    return saved(tmp_path_factory.mktemp("folder"), repeated)


def test_only_what_computes_is_harmless(path):
    assert not {*HARMFUL} & harmless.names("operations")
    assert SavedModel(path).dangers() == []
    found = Classifier(loading.load(path), SHAPE)(IMAGES)
    np.testing.assert_allclose(found, 2 * (IMAGES.reshape(2, 144)[:, :3] + 2), rtol=1e-6)


def test_an_operation_is_refused_in_any_function_that_is_kept(tmp_path):
    path = saved(tmp_path, tf.identity)
    with changed(path) as graph:
        for function in graph.graph_def.library.function:
            function.node_def.add(name="x", op=f"In_{function.signature.name}")
    found = SavedModel(path).dangers()
    assert len(found) == 2 and not any("traced" in name for name in found)
    with pytest.raises(ValueError, match="it holds the operation In_.*--unsafe") as error:
        loading.load(path)
    assert "\n" not in str(error.value)


def test_code_does_not_run_and_unsafe_lets_it(tmp_path):
    mark = tmp_path / "it_ran"

    def write(x):
        with tf.control_dependencies([tf.io.write_file(str(mark), "code")]):
            return tf.identity(x)

    path = saved(tmp_path, write)
    with pytest.raises(ValueError, match="it holds the operation WriteFile"):
        Classifier(loading.load(path), SHAPE)(IMAGES)
    assert not mark.exists()
    Classifier(loading.load(path, unsafe=True), SHAPE)(IMAGES)
    assert mark.exists()


def test_what_is_called_the_saver_is_not_looked_at_and_not_given_to_tensorflow(tmp_path):
    mark = tmp_path / "it_ran"

    def write(x):
        with tf.control_dependencies([tf.io.write_file(str(mark), "code")]):
            return tf.identity(x)

    path = saved(tmp_path, write)
    with changed(path) as graph:
        (hidden,) = (
            function.signature.name
            for function in graph.graph_def.library.function
            if any(node.op == "WriteFile" for node in function.node_def)
        )
        node = graph.graph_def.node.add(name="hidden", op="StatefulPartitionedCall")
        node.attr["f"].func.name = hidden
        graph.saver_def.restore_op_name = "hidden"
    with pytest.raises(ValueError, match="cannot be read|is not loaded") as error:
        Classifier(loading.load(path), SHAPE)(IMAGES)
    assert "\n" not in str(error.value) and not mark.exists()


@pytest.mark.parametrize("name", ["saved_model.pb", "variables", "variables/variables.index"])
def test_links_are_refused(tmp_path, name):
    path = saved(tmp_path, tf.identity)
    (path / name).rename(tmp_path / "elsewhere")
    (path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="is a link"):
        loading.load(path)


def test_a_pipe_is_refused(tmp_path):
    path = saved(tmp_path, tf.identity)
    (path / "saved_model.pb").unlink()
    os.mkfifo(path / "saved_model.pb")
    with pytest.raises(ValueError, match="is neither a file nor a folder"):
        loading.load(path)


def operations(layer, arguments):
    """The operations of a layer, as an export writes them."""
    function = tf.function(lambda *inputs: layer(*inputs)).get_concrete_function(*arguments)
    graph = function.graph.as_graph_def()
    inner = (node for function in graph.library.function for node in function.node_def)
    return {node.op for node in (*graph.node, *inner)}


@pytest.mark.slow
def test_every_layer_of_keras_only_computes():
    unknown = {
        kind.__name__: operations(*every_layer.call(kind)) - harmless.names("operations")
        for kind in every_layer.KINDS
        if kind is not tf.keras.layers.InputLayer  # which cannot be called
    }
    assert {name: found for name, found in unknown.items() if found} == {}
