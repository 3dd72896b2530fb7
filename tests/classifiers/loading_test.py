"""Any classifier is read from disk, or refused in one line."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.classifiers import loading
from spatial_keras.classifiers.adapter import Classifier
from spatial_keras.support import compat
from tests import evaluation_cases as cases

SHAPE = (12, 12, 1)
IMAGES = cases.images(5).astype(np.float32)


def keras_file(model, path):
    model.save(path / "model.keras")
    return path / "model.keras"


def h5_file(model, path):
    model.save(path / "model.h5")
    return path / "model.h5"


def saved_model(model, path):
    signature = tf.function(
        lambda x: {"logits": model(x, training=False)},
        input_signature=[tf.TensorSpec([None, *SHAPE], tf.float32)],
    )
    tf.saved_model.save(model, str(path / "folder"), signatures=signature.get_concrete_function())
    return path / "folder"


def keras_2_folder(model, path):
    model.save(path / "folder", save_format="tf")
    return path / "folder"


def robust_model_file(model, path):
    sk.RobustModel(model, sk.WorstOfK(2)).save(path / "model.keras")
    return path / "model.keras"


KINDS = [keras_file, h5_file, saved_model, robust_model_file]


@pytest.mark.parametrize("save", KINDS if compat.IS_KERAS_3 else [*KINDS, keras_2_folder])
def test_a_model_is_read_from_disk(tmp_path, save):
    model = cases.network()
    found = loading.load(save(model, tmp_path))
    adapted = Classifier(found, SHAPE)
    np.testing.assert_allclose(adapted(IMAGES), model(IMAGES), atol=1e-5)
    assert adapted.num_classes == 3 and not adapted.notes
    images = tf.constant(IMAGES)
    gradients = []
    for function in (adapted, model):
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = tf.reduce_sum(function(images, training=False)[:, 1])
        gradients.append(tape.gradient(value, images))
    np.testing.assert_allclose(*gradients, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.keras", "does not exist"),
        ("notes.txt", "must be a .keras, .h5, .tflite or .onnx file or the folder of a SavedModel"),
        ("folder", "must be a .keras, .h5, .tflite or .onnx file or the folder of a SavedModel"),
        ("broken.keras", "cannot be read"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, name, message):
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / "broken.keras").write_text("no model")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=message) as error:
        loading.load(tmp_path / name)
    assert len(str(error.value)) < 500


def truncated(model, path):
    content = keras_file(model, path).read_bytes()
    (path / "model.keras").write_bytes(content[: len(content) // 2])
    return path / "model.keras"


def empty_archive(model, path):
    with zipfile.ZipFile(path / "model.keras", "w") as archive:
        archive.writestr("nothing.txt", "")
    return path / "model.keras"


def truncated_h5(model, path):
    content = h5_file(model, path).read_bytes()
    (path / "model.h5").write_bytes(content[:500])
    return path / "model.h5"


def damaged_graph(model, path):
    file = saved_model(model, path) / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:100])
    return path / "folder"


def no_variables(model, path):
    for file in (saved_model(model, path) / "variables").iterdir():
        file.unlink()
    return path / "folder"


@pytest.mark.parametrize(
    "damage", [truncated, empty_archive, truncated_h5, damaged_graph, no_variables]
)
def test_a_damaged_model_is_refused_in_one_line(tmp_path, damage):
    with pytest.raises(ValueError, match="cannot be read") as error:
        loading.load(damage(cases.network(), tmp_path))
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_saved_model_without_the_signature_is_refused(tmp_path):
    tf.saved_model.save(cases.network(), str(tmp_path), signatures={"other": _no_images})
    with pytest.raises(ValueError, match="unknown signature 'serving_default'"):
        loading.load(tmp_path)


@tf.function(input_signature=[])
def _no_images():
    return {"x": tf.zeros([])}


@pytest.mark.parametrize("save", [None, keras_file, saved_model])
def test_the_fingerprint_tells_models_apart(tmp_path, save):
    model = cases.network()

    def fingerprint(name):
        (tmp_path / name).mkdir()
        found = loading.load(save(model, tmp_path / name)) if save else model
        return loading.fingerprint(found)

    first = fingerprint("a")
    assert fingerprint("b") == first
    model.layers[-1].bias.assign([0, 0, 1e-6])
    assert fingerprint("c") != first
