"""Any classifier is read from disk and gives logits for pixel values."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

import spatial_keras as sk
from spatial_keras.evaluation import classifiers
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
    found = classifiers.load(save(model, tmp_path))
    adapted = classifiers.Classifier(found, SHAPE)
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
        ("notes.txt", "must be a .keras or .h5 file or the folder of a SavedModel"),
        ("folder", "must be a .keras or .h5 file or the folder of a SavedModel"),
        ("broken.keras", "cannot be read"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, name, message):
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / "broken.keras").write_text("no model")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=message) as error:
        classifiers.load(tmp_path / name)
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
        classifiers.load(damage(cases.network(), tmp_path))
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_saved_model_without_the_signature_is_refused(tmp_path):
    tf.saved_model.save(cases.network(), str(tmp_path), signatures={"other": _no_images})
    with pytest.raises(ValueError, match="unknown signature 'serving_default'"):
        classifiers.load(tmp_path)


@tf.function(input_signature=[])
def _no_images():
    return {"x": tf.zeros([])}


@pytest.mark.parametrize("low_high", [(0, 1), (-1, 1), (0, 255), (1, 0)])
def test_grey_levels_are_scaled_to_the_models_range(low_high):
    seen = []

    def model(images, training=False):
        seen.append(images.numpy())
        return tf.ones([len(images), 2]) * [2.0, 3.0]

    classifiers.Classifier(model, SHAPE, low_high)(IMAGES)
    low, high = low_high
    np.testing.assert_allclose(seen[-1], low + (high - low) * IMAGES / 255, atol=1e-5)


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
def test_a_function_of_images_alone_is_a_classifier(wrap):
    model = cases.network()
    adapted = classifiers.Classifier(wrap(lambda images: model(images)), SHAPE)
    np.testing.assert_allclose(adapted(IMAGES), model(IMAGES), atol=1e-5)


def test_models_run_in_inference_mode():
    """With dropout and with statistics of a batch, an image's outputs would depend on others."""
    layers = (tf.keras.layers.BatchNormalization(), tf.keras.layers.Dropout(0.5))
    model = cases.network(first_layers=layers)
    for one in (model, lambda images, training=True: model(images, training=training)):
        adapted = classifiers.Classifier(one, SHAPE)
        np.testing.assert_allclose(adapted(IMAGES)[:2], adapted(IMAGES[:2]), atol=1e-3)


def test_probabilities_become_logits():
    model = cases.network(activation="softmax")
    adapted = classifiers.Classifier(model, SHAPE)
    assert "gives probabilities" in adapted.notes[0]
    probabilities = np.asarray(model(IMAGES))
    np.testing.assert_allclose(special.softmax(adapted(IMAGES), axis=1), probabilities, atol=1e-6)


def test_a_probability_of_0_stays_finite():
    certain = tf.constant([[0.0, 1.0, 0.0]])
    adapted = classifiers.Classifier(lambda x, training: tf.repeat(certain, len(x), 0), SHAPE)
    assert np.isfinite(adapted(IMAGES)).all()


@pytest.mark.parametrize("kind", ["model", "function", "from file", "sigmoid"])
def test_the_slope_of_certain_predictions_does_not_vanish(tmp_path, kind):
    single = kind == "sigmoid"
    logits = cases.network(1 if single else 3)
    logits.layers[-1].kernel.assign(300 * logits.layers[-1].kernel)
    activation = {"sigmoid": "sigmoid", "function": None}.get(kind, "softmax")
    model = cases.network(1 if single else 3, activation)
    model.set_weights(logits.get_weights())
    given = model
    if kind == "function":
        given = lambda images: tf.nn.softmax(model(images))  # noqa: E731
    if kind == "from file":
        model.save(tmp_path / "model.keras")
        given = classifiers.load(tmp_path / "model.keras")

    @tf.function
    def slope(classifier):
        images = tf.constant(IMAGES, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(images)
            margin = tf.reduce_sum(classifier(images)[:, 1] - classifier(images)[:, 0])
        return tape.gradient(margin, images)

    expected = slope(classifiers.Classifier(logits, SHAPE, outputs="logits"))
    adapted = classifiers.Classifier(given, SHAPE)
    assert "probabilities" in adapted.notes[0]
    np.testing.assert_allclose(slope(adapted), expected, rtol=1e-4)


def test_probabilities_taken_for_logits_are_noted():
    adapted = classifiers.Classifier(cases.network(activation="softmax"), SHAPE, outputs="logits")
    assert "look like probabilities" in adapted.notes[0]


def test_logits_taken_for_probabilities_are_refused():
    with pytest.raises(ValueError, match="are not probabilities"):
        classifiers.Classifier(cases.network(), SHAPE, outputs="probabilities")


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (cases.network(), (10, 12, 1), "takes images of 12 x 12 x 1, got 10 x 12 x 1"),
        (lambda x, training: x[:, 0, 0, 0], SHAPE, r"at least 2 classes, got \[3\] for 3 images"),
        (lambda x, training: x, SHAPE, r"at least 2 classes, got \[3, 12, 12, 1\]"),
        (lambda x, training: x[:, :2, 0, 0] * np.nan, SHAPE, "NaN or infinite outputs"),
        (lambda x, training: tf.ones([3, 3]) @ tf.ones([2, 3]), SHAPE, "cannot take images of 12"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(model, shape, message):
    with pytest.raises(ValueError, match=message):
        classifiers.Classifier(model, shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "logit"}, "unknown outputs 'logit': did you mean 'logits'"),
        ({"input_range": (0, float("inf"))}, "input_range must be finite"),
        ({"input_range": (5, 5)}, r"two different numbers, got \(5, 5\)"),
        ({"input_range": (0, 1, 2)}, r"two different numbers, got \(0, 1, 2\)"),
        ({"input_range": 255}, "two different numbers, got 255"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        classifiers.Classifier(cases.network(), SHAPE, **options)


@pytest.mark.parametrize("save", [None, keras_file, saved_model])
def test_the_fingerprint_tells_models_apart(tmp_path, save):
    model = cases.network()

    def fingerprint(name):
        (tmp_path / name).mkdir()
        found = classifiers.load(save(model, tmp_path / name)) if save else model
        return classifiers.fingerprint(found)

    first = fingerprint("a")
    assert fingerprint("b") == first
    model.layers[-1].bias.assign([0, 0, 1e-6])
    assert fingerprint("c") != first
