"""Any classifier gives logits for pixel values."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from spatial_keras.classifiers import loading
from spatial_keras.classifiers.adapter import Classifier
from tests import evaluation_cases as cases

SHAPE = (12, 12, 1)
IMAGES = cases.images(5).astype(np.float32)


@pytest.mark.parametrize("low_high", [(0, 1), (-1, 1), (0, 255), (1, 0)])
def test_grey_levels_are_scaled_to_the_models_range(low_high):
    seen = []

    def model(images, training=False):
        seen.append(images.numpy())
        return tf.ones([len(images), 2]) * [2.0, 3.0]

    Classifier(model, SHAPE, low_high)(IMAGES)
    low, high = low_high
    np.testing.assert_allclose(seen[-1], low + (high - low) * IMAGES / 255, atol=1e-5)


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
def test_a_function_of_images_alone_is_a_classifier(wrap):
    model = cases.network()
    adapted = Classifier(wrap(lambda images: model(images)), SHAPE)
    np.testing.assert_allclose(adapted(IMAGES), model(IMAGES), atol=1e-5)


def test_models_run_in_inference_mode():
    """With dropout and with statistics of a batch, an image's outputs would depend on others."""
    layers = (tf.keras.layers.BatchNormalization(), tf.keras.layers.Dropout(0.5))
    model = cases.network(first_layers=layers)
    for one in (model, lambda images, training=True: model(images, training=training)):
        adapted = Classifier(one, SHAPE)
        np.testing.assert_allclose(adapted(IMAGES)[:2], adapted(IMAGES[:2]), atol=1e-3)


def test_probabilities_become_logits():
    model = cases.network(activation="softmax")
    adapted = Classifier(model, SHAPE)
    assert "gives probabilities" in adapted.notes[0]
    probabilities = np.asarray(model(IMAGES))
    np.testing.assert_allclose(special.softmax(adapted(IMAGES), axis=1), probabilities, atol=1e-6)


def test_a_probability_of_0_stays_finite():
    certain = tf.constant([[0.0, 1.0, 0.0]])
    adapted = Classifier(lambda x, training: tf.repeat(certain, len(x), 0), SHAPE)
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
        given = loading.load(tmp_path / "model.keras")

    @tf.function
    def slope(classifier):
        images = tf.constant(IMAGES, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(images)
            margin = tf.reduce_sum(classifier(images)[:, 1] - classifier(images)[:, 0])
        return tape.gradient(margin, images)

    expected = slope(Classifier(logits, SHAPE, outputs="logits"))
    adapted = Classifier(given, SHAPE)
    assert "probabilities" in adapted.notes[0]
    np.testing.assert_allclose(slope(adapted), expected, rtol=1e-4)


def test_probabilities_taken_for_logits_are_noted():
    adapted = Classifier(cases.network(activation="softmax"), SHAPE, outputs="logits")
    assert "look like probabilities" in adapted.notes[0]


def test_logits_taken_for_probabilities_are_refused():
    with pytest.raises(ValueError, match="are not probabilities"):
        Classifier(cases.network(), SHAPE, outputs="probabilities")


def test_what_does_not_fit_is_refused():
    for model, shape, message in [
        (cases.network(), (10, 12, 1), "takes images of 12 x 12 x 1, got 10 x 12 x 1"),
        (lambda x, training: x[:, 0, 0, 0], SHAPE, r"at least 2 classes, got \[3\] for 3 images"),
        (lambda x, training: x, SHAPE, r"at least 2 classes, got \[3, 12, 12, 1\]"),
        (lambda x, training: x[:, :2, 0, 0] * np.nan, SHAPE, "NaN or infinite outputs"),
        (lambda x, training: tf.ones([3, 3]) @ tf.ones([2, 3]), SHAPE, "cannot take images of 12"),
    ]:
        with pytest.raises(ValueError, match=message):
            Classifier(model, shape)


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
        Classifier(cases.network(), SHAPE, **options)
