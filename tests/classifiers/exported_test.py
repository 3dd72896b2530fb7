"""Exported models against the Keras models and the numbers that they were made of."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.classifiers import exported, loading
from spatial_keras.evaluation import Evaluator
from tests import evaluation_cases as cases
from tests import onnx_files

IMAGES = cases.images(5)


def lite(path, classifier, images=None, batch=None):
    """Writes a .tflite file, of 8-bit integers where there are images to scale it by."""
    inputs = tf.keras.Input(batch_size=batch, shape=classifier.input_shape[1:])
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(inputs, classifier(inputs)))
    if images is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in images
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    return path


@pytest.mark.parametrize("batch", [None, 2])
def test_a_tflite_file_gives_what_the_model_gives(tmp_path, batch):
    classifier = cases.network()
    model = loading.load(lite(tmp_path / "a.tflite", classifier, batch=batch))
    for number in (5, 1, 5):
        (found,) = model(IMAGES[:number]).values()
        np.testing.assert_allclose(found, classifier(IMAGES[:number] * 1.0), atol=1e-4)


def test_integers_stand_for_numbers(tmp_path):
    classifier = cases.network()
    images = cases.images(23)
    file = lite(tmp_path / "a.tflite", classifier, images)
    (found,) = loading.load(file)(images).values()
    expected = np.asarray(classifier(images * 1.0))
    assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)
    assert not np.allclose(found, expected, atol=1e-4)  # they were rounded
    labels = expected.argmax(axis=1)
    evaluator = Evaluator(file, images, labels, transformations=cases.BOX)
    assert not evaluator.has_gradient and evaluator.natural().accuracy > 0.8
    assert evaluator.grid((1, 1, 3)).accuracy <= evaluator.natural().accuracy


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (("n", 12, 12, 1), onnx_files.FLOAT), ((2, 12, 12, 1), onnx_files.UINT8),
        (("n", 1, 12, 12), onnx_files.FLOAT), ((1, 1, "h", "w"), onnx_files.FLOAT),
    ],
)  # fmt: skip
def test_an_onnx_file_gives_what_its_numbers_give(tmp_path, shape, kind):
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=[144, 3]), rng.normal(size=3)
    file = tmp_path / "a.onnx"
    file.write_bytes(onnx_files.dense(kernel, bias, shape, kind))
    model = loading.load(file)
    expected = IMAGES.reshape(5, -1) @ kernel + bias
    np.testing.assert_allclose(model(IMAGES)["logits"], expected, rtol=1e-4)
    outcome = Evaluator(file, IMAGES, expected.argmax(axis=1)).natural()
    assert outcome.accuracy == 1
    assert loading.fingerprint(model) != loading.fingerprint(lambda images: images)


def test_what_is_no_operation_of_tflite_is_not_loaded(tmp_path):
    inputs = tf.keras.Input([4])
    outputs = tf.keras.layers.Lambda(lambda x: tf.raw_ops.Betainc(a=x, b=x, x=x))(inputs)
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(inputs, outputs))
    converter.allow_custom_ops = True  # as one of TensorFlow's that writes files
    file = tmp_path / "a.tflite"
    file.write_bytes(converter.convert())
    with pytest.raises(ValueError, match="the operation Betainc, which is not known to be"):
        loading.load(file)


@pytest.mark.parametrize("name", ["a.tflite", "a.onnx"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"no model"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"model '.*{name}' cannot be read") as error:
        loading.load(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "modules", "package"),
    [
        ("a.onnx", ["onnxruntime"], "onnxruntime"),
        (
            "a.tflite",
            ["tensorflow.lite.python.interpreter", "ai_edge_litert.interpreter"],
            "ai-edge-litert",
        ),
    ],
)
def test_a_package_that_is_not_there_is_named(tmp_path, monkeypatch, name, modules, package):
    (tmp_path / name).write_bytes(b"")
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=f"need the package {package}: pip install {package}"):
        loading.load(tmp_path / name)


def test_numbers_become_the_nearest_integers_that_there_are():
    values = np.float32([-3, 0.26, 0.49, 900])
    np.testing.assert_array_equal(exported._quantized(values, np.int8, 0.5, 3), [-3, 4, 4, 127])
    np.testing.assert_array_equal(exported._quantized(values, np.uint8, 0, 0), [0, 0, 0, 255])
    np.testing.assert_array_equal(exported._quantized(values, np.float32, 0, 0), values)
