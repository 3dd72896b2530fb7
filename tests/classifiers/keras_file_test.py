"""No file runs its writer's code: hostile ones are made here, and whether they ran is seen."""

import inspect
import json
import os
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.classifiers import harmless, loading
from spatial_keras.classifiers.adapter import Classifier
from spatial_keras.classifiers.keras_file import KerasFile
from spatial_keras.support import compat
from tests import evaluation_cases as cases
from tests import every_layer

IMAGES = cases.images(2).astype(np.float32)


@pytest.fixture(name="mark")
def path_of_mark(tmp_path):
    """The file that hostile code makes."""
    return tmp_path / "it_ran"


def code(mark):
    """Returns a function that leaves the mark, as bytecode in a file would."""
    return eval(f"lambda x: (open({str(mark)!r}, 'w').close(), x)[1]")


def lambda_model(mark):
    layer = tf.keras.layers.Lambda(code(mark), output_shape=(12, 12, 1))
    return cases.network(first_layers=(layer,))


def lambda_h5(folder, mark):
    lambda_model(mark).save(folder / "model.h5")
    return folder / "model.h5"


def lambda_keras(folder, mark):
    lambda_model(mark).save(folder / "model.keras")
    return folder / "model.keras"


def h5_by_the_name_of_keras(folder, mark):
    return lambda_h5(folder, mark).rename(folder / "model.keras")


def edited(folder, change):
    """Returns a .keras file of a good network whose configuration has been changed."""
    path = folder / "model.keras"
    cases.network().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config["config"]["layers"], parts)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def type_of_a_module(folder, mark):
    def change(layers, _):
        layers[-1]["config"]["activation"] = {
            "class_name": "__typespec__", "spec_name": "system", "module": "os",
            "registered_name": None, "config": [f"touch {mark}"],
        }  # fmt: skip

    return edited(folder, change)


def function_of_a_module(folder, mark):
    def change(layers, _):
        layers[-1]["config"]["activation"] = {
            "class_name": "function", "config": "system", "module": "os", "registered_name": None,
        }  # fmt: skip

    return edited(folder, change)


def builtin_function(folder, mark):
    def change(layers, _):
        layers[-1]["config"]["activation"] = {
            "class_name": "function", "config": "exec", "module": "builtins",
            "registered_name": "exec",
        }  # fmt: skip

    return edited(folder, change)


def function_for_a_layer(folder, mark):
    def change(layers, _):
        layers[1].update({"module": "os", "class_name": "system", "registered_name": "system"})

    return edited(folder, change)


def dotted_name(folder, mark):
    def change(layers, _):
        layers[1].update({"module": "keras", "class_name": "layers.Lambda"})

    return edited(folder, change)


def operation_by_name(folder, mark):
    def change(layers, _):
        layers[1].update(
            {
                "module": "keras.src.layers.core.tf_op_layer",
                "class_name": "TFOpLambda",
                "config": {"name": "write", "function": "io.write_file"},
            }
        )

    return edited(folder, change)


def pickled_weights(folder, mark):
    class Pickled:
        def __reduce__(self):
            return (open, (str(mark), "w"))

    def change(_, parts):
        del parts["model.weights.h5"]
        np.savez(folder / "w.npz", np.array([Pickled()], dtype=object))
        parts["model.weights.npz"] = (folder / "w.npz").read_bytes()

    return edited(folder, change)


def operation_by_another_name(folder, mark):
    """Keras 2.15 looks for the registered name where the class's is not in the module."""

    def change(layers, _):
        layers[1].update(
            {
                "module": "keras.src.layers.core.tf_op_layer",
                "class_name": "Dense",
                "registered_name": "TFOpLambda",
                "config": {"name": "write", "function": "io.write_file"},
            }
        )

    return edited(folder, change)


def connection(folder, mark):
    def change(layers, _):
        layers[1].update({"class_name": "TFOpLambda", "config": {"function": "rpc_client"}})

    return edited(folder, change)


def vocabulary_of_a_file(folder, mark):
    def change(layers, _):
        layers[1].update({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}})

    return edited(folder, change)


def layer_with_another_program(folder, mark):
    def change(layers, _):
        layers[1].update({"class_name": "TFSMLayer", "config": {"filepath": str(mark)}})

    return edited(folder, change)


def other_member(folder, mark):
    return edited(folder, lambda _, parts: parts.update({"model.py": b"open()"}))


def compressed(folder, mark):
    path = edited(folder, lambda *_: None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(1 << 24))
    return path


def with_weights(change, suffix):
    """Returns what builds a file whose weights have been changed."""

    def build(folder, mark):
        cases.network().save(folder / f"good.{suffix}")
        weights = folder / "good.h5"
        if suffix == "keras":
            with zipfile.ZipFile(folder / "good.keras") as archive:
                weights.write_bytes(archive.read("model.weights.h5"))
        with h5py.File(weights, "a") as file:
            change(file, str(mark))
        if suffix == "h5":
            return weights
        return edited(
            folder, lambda _, parts: parts.update({"model.weights.h5": weights.read_bytes()})
        )

    return build


def external(file, mark):
    file.create_dataset("other", [4], "f4", external=[(mark, 0, h5py.h5f.UNLIMITED)])


def virtual(file, mark):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(mark, "x", (4,))
    file.create_virtual_dataset("other", layout)


def linked(file, mark):
    file["other"] = h5py.ExternalLink(mark, "/")


def large(file, mark):
    file.create_dataset("other", [1 << 40], "f4", chunks=True)


HOSTILE = {
    lambda_h5: "Lambda", lambda_keras: "Lambda", h5_by_the_name_of_keras: "Lambda",
    type_of_a_module: "os.system", function_of_a_module: "os.system", builtin_function: "exec",
    function_for_a_layer: "os.system", dotted_name: "keras.layers.Lambda",
    operation_by_name: "tf.io.write_file", operation_by_another_name: ".*tf_op_layer.Dense",
    connection: "tf.rpc_client", vocabulary_of_a_file: "the vocabulary /etc/passwd",
    layer_with_another_program: "TFSMLayer", pickled_weights: "the member model.weights.npz",
    other_member: "the member model.py", compressed: "compressed members",
    with_weights(external, "h5"): "the array other of another file",
    with_weights(external, "keras"): "the array other of another file",
    with_weights(virtual, "h5"): "the array other of another file",
    with_weights(linked, "h5"): "the link other",
    with_weights(large, "keras"): "compressed arrays",
}  # fmt: skip


NAMES = [f"{build.__name__}-{name}" for build, name in HOSTILE.items()]


@pytest.mark.parametrize(("build", "name"), HOSTILE.items(), ids=NAMES)
def test_a_hostile_file_is_refused_by_name_and_does_not_run(tmp_path, mark, build, name):
    path = build(tmp_path, mark)
    mark.unlink(missing_ok=True)
    with pytest.raises(ValueError, match=f"is not loaded: it holds {name}, .*--unsafe") as error:
        Classifier(loading.load(path), (12, 12, 1))(IMAGES)
    assert not mark.exists() and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="is not loaded"):
        sk.evaluation.Evaluator(path, cases.images(2), np.zeros(2, int))
    assert not mark.exists()


@pytest.mark.parametrize(
    "build",
    [lambda_h5, lambda_keras] + ([] if compat.IS_KERAS_3 else [h5_by_the_name_of_keras]),
)
def test_the_code_would_run_and_unsafe_lets_it(tmp_path, mark, build):
    path = build(tmp_path, mark)
    mark.unlink(missing_ok=True)
    Classifier(loading.load(path, unsafe=True), (12, 12, 1))(IMAGES)
    assert mark.exists()


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_what_networks_are_made_of_is_harmless(tmp_path, suffix):
    inputs = tf.keras.Input([8, 8, 1])
    # Keras 3 does not read its own operations from HDF5.
    plain = suffix == "h5" and compat.IS_KERAS_3
    x = tf.keras.layers.Rescaling(1 / 255)(inputs) if plain else inputs / 255.0
    x = tf.keras.layers.Reshape([1, 64])(x)
    dense = tf.keras.layers.Dense(5, "gelu", kernel_regularizer="l2")
    x = tf.keras.layers.Flatten()(tf.keras.layers.TimeDistributed(dense)(x))
    x = tf.keras.layers.Activation(tf.keras.activations.softmax)(x)
    model = tf.keras.Sequential([tf.keras.Input([8, 8, 1]), tf.keras.Model(inputs, x)])
    model.compile("adam", loss=own_loss)  # which loading leaves out
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    assert KerasFile(path).dangers() == []
    images = np.ones([2, 8, 8, 1], np.float32)
    np.testing.assert_allclose(loading.load(path)(images), model(images), atol=1e-6)


def own_loss(labels, outputs):
    return tf.reduce_mean(outputs)


@pytest.mark.parametrize("network", ["resnet8", "stn_resnet8", "etn_resnet8", "g_resnet8", "vgg11"])
def test_the_networks_of_this_package_are_harmless(tmp_path, network):
    model = sk.models.get(network, num_classes=3, input_shape=(32, 32, 1), width=0.125)
    sk.RobustModel(model, sk.WorstOfK(2)).save(tmp_path / "model.keras")
    assert KerasFile(tmp_path / "model.keras").dangers() == []


@pytest.mark.parametrize(
    ("network", "layer", "argument"),
    [
        pytest.param(
            *("ConvNeXtTiny", "LayerScale", (0.5, 3)),
            marks=pytest.mark.skipif(not compat.IS_KERAS_3, reason="Keras 2.15 cannot load it"),
        ),
        ("InceptionResNetV2", "CustomScaleLayer", (0.5,)),
    ],
)
def test_layers_of_keras_networks_are_harmless(tmp_path, network, layer, argument):
    module = inspect.getmodule(getattr(tf.keras.applications, network))
    inputs = tf.keras.Input([8, 8, 3])
    x = inputs if layer == "LayerScale" else [inputs, inputs]
    x = tf.keras.layers.Flatten()(getattr(module, layer)(*argument)(x))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(x))
    model.save(tmp_path / "model.keras")
    images = np.ones([2, 8, 8, 3], np.float32)
    loaded = loading.load(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


def test_a_class_that_nobody_registered_is_named(tmp_path):
    def change(layers, _):
        layers[1].update({"module": "somewhere.layers", "class_name": "Own"})

    assert KerasFile(edited(tmp_path, change)).dangers() == ["somewhere.layers.Own"]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, suffix, damage):
    path = tmp_path / f"model.{suffix}"
    cases.network().save(path)
    content = bytearray(path.read_bytes())
    for i in range(100, len(content), 97):
        content[i] ^= 0xFF
    changed = {"cut": path.read_bytes()[:300], "flipped": bytes(content), "empty": b""}
    path.write_bytes(changed[damage])
    with pytest.raises(ValueError, match="cannot be read") as error:
        loading.load(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_a_file_of_both_kinds_is_looked_at_as_both(tmp_path, mark):
    path = lambda_h5(tmp_path, mark)
    cases.network().save(tmp_path / "good.keras")
    with zipfile.ZipFile(path, "a") as archive, zipfile.ZipFile(tmp_path / "good.keras") as good:
        for name in good.namelist():
            archive.writestr(name, good.read(name))
    assert zipfile.is_zipfile(path) and h5py.is_hdf5(path)
    assert KerasFile(path).dangers()[0] == "Lambda"


def test_a_file_that_never_ends_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is not a regular file"):
        loading.load(path)


def test_every_layer_of_keras_is_known_or_left_out():
    assert {kind.__name__ for kind in every_layer.KINDS} <= harmless.names("layers")
    assert not {kind.__name__ for kind in every_layer.LEFT_OUT} & harmless.names("layers")
