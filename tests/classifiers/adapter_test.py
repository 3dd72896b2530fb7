"""Any classifier gives logits for pixel values."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

import spatial_keras as sk
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


def dropping(model, images):
    return tf.nn.dropout(images, 0.3)


def normalizing(model, images):
    """As BatchNorm in training mode does."""
    return images - tf.reduce_mean(images, axis=0) + 99.0


def counting(model, images):
    return images * tf.reshape(tf.range(1.0, 1.0 + len(images)), [-1, 1, 1, 1])


VARYING = [
    (dropping, "chance: the same images, judged again, have others"),
    (normalizing, "the images that are judged with it"),
    (counting, "the order of the images"),
]


@pytest.mark.parametrize(("change", "what"), VARYING)
def test_what_outputs_depend_on_is_found(change, what):
    model = cases.network()
    adapted = Classifier(lambda images: model(change(model, images)), SHAPE, images=IMAGES)
    assert adapted.depends_on == what
    assert f"The classifier's outputs for an image depend on {what}." in adapted.notes


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_function_of_the_image_alone_is_found_to_be_one(policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        layers = (tf.keras.layers.Conv2D(8, 3), tf.keras.layers.BatchNormalization())
        model = cases.network(first_layers=layers)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert Classifier(model, SHAPE, images=IMAGES).depends_on is None


def one_unit(images):
    """A single logit of which the first eight, alone, lie in [0, 1]."""
    return tf.reduce_max(images, axis=[1, 2, 3])[:, None] / 100 - 1


UNIT_IMAGES = np.full([20, *SHAPE], 150.0)
UNIT_IMAGES[8:] = 20


@pytest.mark.parametrize("black_box", [False, True])
def test_outputs_are_judged_on_all_images(black_box):
    given = (lambda images: one_unit(images).numpy()) if black_box else one_unit
    adapted = Classifier(given, SHAPE, images=UNIT_IMAGES)
    np.testing.assert_allclose(adapted(UNIT_IMAGES)[:, 1], [0.5] * 8 + [-0.8] * 12, atol=1e-6)


def test_what_stays_open_is_asked_for():
    with pytest.raises(ValueError, match="say which with outputs='probabilities' or outputs='log"):
        Classifier(one_unit, SHAPE, images=UNIT_IMAGES[:8])
    for outputs, expected in (("logits", 0.5), ("probabilities", 0.0)):
        adapted = Classifier(one_unit, SHAPE, outputs=outputs, images=UNIT_IMAGES[:8])
        np.testing.assert_allclose(adapted(UNIT_IMAGES[:8])[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize(("activation", "probabilities"), [(tf.sigmoid, True), (None, False)])
def test_the_last_operation_tells_what_a_function_gives(activation, probabilities):
    model = cases.network(1)
    model.layers[-1].kernel.assign(0 * model.layers[-1].kernel)
    model.layers[-1].bias.assign([0.5])
    given = (lambda x: activation(model(x))) if activation else (lambda x: model(x))
    adapted = Classifier(given, SHAPE, images=IMAGES)
    np.testing.assert_allclose(adapted(IMAGES)[:, 1], 0.5, atol=1e-6)
    assert any("gives probabilities" in note for note in adapted.notes) == probabilities


@tf.keras.utils.register_keras_serializable("tests")
class Preprocessed(tf.keras.Model):
    """What KerasHub's ImageClassifier is: `call` takes what its preprocessor makes of images."""

    def __init__(self, inner):
        super().__init__(inner.inputs, inner.outputs)
        self.preprocessor = lambda x, y=None, sample_weight=None: tf.image.resize(x, [6, 6]) / 255


def preprocessed():
    inputs = tf.keras.Input([6, 6, 1])
    return Preprocessed(
        tf.keras.Model(
            inputs, tf.keras.layers.Dense(3)(tf.keras.layers.Flatten()(inputs)), name="inner"
        )
    )


def test_a_preprocessor_comes_after_the_warp():
    model = preprocessed()
    expected = model(tf.image.resize(IMAGES, [6, 6]) / 255)
    np.testing.assert_allclose(Classifier(model, SHAPE)(IMAGES), expected, atol=1e-5)
    robust = sk.RobustModel(model, sk.WorstOfK(2))
    np.testing.assert_allclose(robust.predict(IMAGES, verbose=0), expected, atol=1e-5)
    robust.compile("sgd", jit_compile=False)
    robust.fit(IMAGES, np.arange(5) % 3, verbose=0)
    assert np.any(np.asarray(model(tf.image.resize(IMAGES, [6, 6]) / 255)) != expected)


def test_an_image_classifier_of_kerashub_gets_preprocessed_images():
    hub = pytest.importorskip("keras_hub")
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(12, 12, 3),
    )
    converter = hub.layers.ResNetImageConverter(image_size=(12, 12), scale=1 / 64, offset=-2)
    preprocessor = hub.models.ResNetImageClassifierPreprocessor(image_converter=converter)
    model = hub.models.ResNetImageClassifier(backbone, 3, preprocessor=preprocessor)
    images = np.random.default_rng(0).integers(0, 256, [6, 16, 16, 3]).astype(np.uint8)
    labels = model.predict(images, verbose=0).argmax(axis=1)

    robust = sk.RobustModel(model, sk.WorstOfK(2))
    np.testing.assert_allclose(robust.predict(images), model.predict(images), rtol=1e-4)
    evaluator = sk.evaluation.Evaluator(model, images, labels)
    assert evaluator.natural().accuracy == 1 and not evaluator.notes
    before = [variable.numpy() for variable in model.trainable_variables]
    robust.compile("sgd", jit_compile=False)
    robust.fit(images, labels, verbose=0)
    assert any(np.any(old != new) for old, new in zip(before, model.trainable_variables))
    assert sk.evaluation.Evaluator(model, images[:, :8], labels).natural().right.shape == (6,)


def test_a_preprocessor_of_more_than_images_is_refused():
    model = preprocessed()
    model.preprocessor = lambda images: {"images": images}
    with pytest.raises(ValueError, match="must give images alone, it gives dict"):
        Classifier(model, SHAPE)
