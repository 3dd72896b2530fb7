"""No file runs its writer's code: hostile ones are made here, and whether they ran is seen."""

import inspect
import json
import pathlib
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.classifiers import loading, safety
from spatial_keras.classifiers.adapter import Classifier
from spatial_keras.support import compat
from tests import evaluation_cases as cases

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


def py_function(folder, mark):
    return saved(folder, lambda x: tf.py_function(code(mark), [x], tf.float32))


def written_file(folder, mark):
    def write(x):
        with tf.control_dependencies([tf.io.write_file(str(mark), "code")]):
            return tf.identity(x)

    return saved(folder, write)


def saved(folder, function):
    module = tf.Module()
    specification = tf.TensorSpec([None, 12, 12, 1], tf.float32)
    module.call = tf.function(
        lambda x: tf.reshape(function(x), [-1, 144])[:, :3], input_signature=[specification]
    )
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.call)
    return folder / "saved"


HOSTILE = {
    lambda_h5: "Lambda", lambda_keras: "Lambda", h5_by_the_name_of_keras: "Lambda",
    type_of_a_module: "os.system", function_of_a_module: "os.system", builtin_function: "exec",
    function_for_a_layer: "os.system", dotted_name: "keras.layers.Lambda",
    operation_by_name: "tf.io.write_file", pickled_weights: "pickled model.weights.npz",
    py_function: "the operation EagerPyFunc", written_file: "the operation WriteFile",
}  # fmt: skip


NAMES = [build.__name__ for build in HOSTILE]


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
    [lambda_h5, lambda_keras, py_function, written_file]
    + ([] if compat.IS_KERAS_3 else [h5_by_the_name_of_keras]),
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
    assert safety.dangers(path) == []
    images = np.ones([2, 8, 8, 1], np.float32)
    np.testing.assert_allclose(loading.load(path)(images), model(images), atol=1e-6)


def own_loss(labels, outputs):
    return tf.reduce_mean(outputs)


@pytest.mark.parametrize("network", ["resnet8", "stn_resnet8", "etn_resnet8", "g_resnet8", "vgg11"])
def test_the_networks_of_this_package_are_harmless(tmp_path, network):
    model = sk.models.get(network, num_classes=3, input_shape=(32, 32, 1), width=0.125)
    sk.RobustModel(model, sk.WorstOfK(2)).save(tmp_path / "model.keras")
    assert safety.dangers(tmp_path / "model.keras") == []


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

    assert safety.dangers(edited(tmp_path, change)) == ["somewhere.layers.Own"]


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


def test_a_saved_model_in_parts_is_refused(tmp_path):
    path = pathlib.Path(saved(tmp_path, lambda x: x))
    assert safety.dangers(path) == []
    (path / "saved_model.cpb").write_bytes(b"")
    with pytest.raises(ValueError, match="in parts"):
        loading.load(path)


def test_a_file_of_both_kinds_is_looked_at_as_both(tmp_path, mark):
    path = lambda_h5(tmp_path, mark)
    cases.network().save(tmp_path / "good.keras")
    with zipfile.ZipFile(path, "a") as archive, zipfile.ZipFile(tmp_path / "good.keras") as good:
        for name in good.namelist():
            archive.writestr(name, good.read(name))
    assert zipfile.is_zipfile(path) and h5py.is_hdf5(path)
    assert safety.dangers(path)[0] == "Lambda"
