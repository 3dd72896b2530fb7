"""Whatever classifier and images a user brings are evaluated, or refused in one line."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from sklearn.linear_model import LogisticRegression

import spatial_keras as sk
from spatial_keras.evaluation import Evaluator
from tests import evaluation_cases as cases

layers = tf.keras.layers


@pytest.fixture(name="case", scope="module")
def make_case():
    classifier, images = cases.network(), cases.images()
    return classifier, images, cases.labels(classifier, images)


def evaluate(case, classifier=None, **options):
    model, images, labels = case
    options = {"transformations": cases.BOX, "batch_size": 8, **options}
    return Evaluator(classifier or model, images, labels, **options)


def keras_predict(model):
    return lambda images: model.predict(images, verbose=0)


def numpy_function(model):
    kernel, bias = model.layers[-1].get_weights()

    def probabilities(images):
        return special.softmax(images.reshape(len(images), -1) / 255 @ kernel + bias, axis=1)

    return probabilities


def scikit_learn(model):
    kernel, bias = model.layers[-1].get_weights()
    fitted = LogisticRegression().fit(np.eye(3, 144), np.arange(3))
    fitted.coef_, fitted.intercept_ = kernel.T / 255, bias
    return lambda images: fitted.predict_proba(np.reshape(images, [len(images), -1]))


def subclass(model):
    class Wrapped(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = model

        def call(self, images, training=None):
            return self.inner(images, training=training)

    return Wrapped()


@pytest.mark.parametrize("wrap", [keras_predict, numpy_function, scikit_learn])
def test_a_black_box_is_evaluated_as_its_network(case, wrap):
    found, expected = evaluate(case, wrap(case[0])), evaluate(case)
    for measure in (
        Evaluator.natural, Evaluator.random, lambda e: e.worst_of_k(2), lambda e: e.grid((1, 1, 3)),
    ):  # fmt: skip
        np.testing.assert_array_equal(measure(found).right, measure(expected).right)
    assert any("black box" in note for note in found.notes)


def test_a_black_box_has_no_gradient(case):
    found = evaluate(case, numpy_function(case[0]))
    with pytest.raises(ValueError, match="'gradient' needs a classifier with a gradient"):
        found.gradient()
    with pytest.raises(ValueError, match="'attack' needs a classifier with a gradient"):
        found.attack(found.grid((1, 1, 3)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (LogisticRegression(), "got LogisticRegression; give its .predict_proba or .predict."),
        (None, "or a function of images, got NoneType.$"),
    ],
)
def test_what_cannot_be_called_is_refused(case, given, message):
    with pytest.raises(TypeError, match=message):
        Evaluator(given, *case[1:])


def test_a_function_without_a_signature(case):
    """As compiled ones are."""

    class Compiled:
        __signature__ = "unknown"

        def __call__(self, images):
            return case[0](images)

    expected = evaluate(case).natural().right
    np.testing.assert_array_equal(evaluate(case, Compiled()).natural().right, expected)


def test_a_model_that_says_nothing_of_itself(case):
    found = evaluate(case, subclass(case[0])).grid((1, 1, 3))
    np.testing.assert_array_equal(found.right, evaluate(case).grid((1, 1, 3)).right)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_a_single_unit_is_the_logit_of_class_1(activation):
    classifier, images = cases.network(1, activation), cases.images()
    logits = np.asarray(cases.network(1)(images.astype(np.float32)))[:, 0]
    labels = (logits > 0).astype(int)
    labels[::7] = 1 - labels[::7]
    found = Evaluator(classifier, images, labels, transformations=cases.BOX)
    assert found.num_classes == 2
    expected = np.where(labels == 1, logits, -logits)
    np.testing.assert_allclose(found.natural().margins, expected, atol=1e-4)


def two_heads(model):
    inputs = tf.keras.Input([12, 12, 1])
    other = layers.Dense(2, name="other")(layers.Flatten()(inputs))
    head = layers.Activation("linear", name="head")(model(inputs))
    return tf.keras.Model(inputs, [other, head])


def dictionary(model):
    return lambda images: {"other": images[:, :2, 0, 0], "head": model(images)}


@pytest.mark.parametrize("wrap", [two_heads, dictionary])
def test_one_of_several_outputs_is_chosen(case, wrap):
    several = wrap(case[0])
    found = evaluate(case, several, output="head").natural()
    np.testing.assert_allclose(found.margins, evaluate(case).natural().margins, atol=1e-5)
    with pytest.raises(ValueError, match=r"gives 2: other, head; choose one"):
        evaluate(case, several)
    with pytest.raises(ValueError, match="unknown output 'heat': did you mean 'head'"):
        evaluate(case, several, output="heat")


def test_several_inputs_are_refused(case):
    inputs = [tf.keras.Input([12, 12, 1]) for _ in range(2)]
    model = tf.keras.Model(inputs, case[0](layers.Add()(inputs)))
    with pytest.raises(ValueError, match="must take images alone, it takes 2 inputs"):
        evaluate(case, model)


def test_channels_first(case):
    classifier, images, labels = case
    box = sk.TransformationSet(0, 0, 30)
    first = tf.keras.Sequential(
        [tf.keras.Input([1, 12, 12]), layers.Permute((2, 3, 1)), *classifier.layers[1:]]
    )
    with pytest.raises(ValueError, match="looks like channels first"):
        Evaluator(first, np.moveaxis(images, -1, 1), labels, transformations=box)
    wrapped = tf.keras.Sequential([tf.keras.Input([12, 12, 1]), layers.Permute((3, 1, 2)), first])
    found = Evaluator(wrapped, images, labels, transformations=box).natural()
    np.testing.assert_allclose(found.margins, evaluate(case).natural().margins, atol=1e-5)


def test_images_that_would_give_nan_are_not_made_up(case):
    """A constant image has no deviation to divide by; real ones have."""
    classifier, images, labels = case

    def standardized(images):
        mean, variance = tf.nn.moments(images, axes=[1, 2, 3], keepdims=True)
        return classifier((images - mean) / tf.sqrt(variance))

    found = evaluate(case, standardized).natural()
    assert np.isfinite(found.margins).all()


@pytest.mark.parametrize("batch", [None, 5])
def test_data_of_unknown_shape_are_read(case, batch):
    classifier, images, labels = case
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    dataset = dataset if batch is None else dataset.batch(batch)
    dataset = dataset.map(
        lambda *pair: tf.py_function(lambda *both: both, pair, [tf.uint8, tf.int32])
    )
    found = Evaluator(classifier, dataset, transformations=cases.BOX).natural()
    np.testing.assert_array_equal(found.right, evaluate(case).natural().right)


def of_two_sizes():
    for size in (12, 13):
        yield np.full([size, size, 1], 9, np.uint8), 0


SPEC = (tf.TensorSpec([None, None, 1], tf.uint8), tf.TensorSpec([], tf.int64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, images: d.repeat(), "does not end: leave .repeat"),
        (lambda d, images: tf.data.Dataset.from_generator(of_two_sizes, output_signature=SPEC),
         "images differ in size: resize them"),
        (lambda d, images: d.map(lambda x, y: (tf.RaggedTensor.from_tensor(x), y)),
         "images differ in size: resize them"),
        (lambda d, images: d.map(lambda x, y: (x // 255, y)), "these are 0..1: multiply"),
        (lambda d, images: d.map(lambda x, y: (x > 99, y)), "these are 0..1"),
    ],
)  # fmt: skip
def test_bad_datasets_are_refused(case, change, message):
    classifier, images, labels = case
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    with pytest.raises(ValueError, match=message) as error:
        Evaluator(classifier, change(dataset, images))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["grid", "attack", "grid_map"])
def test_a_varying_classifier_is_evaluated_on_a_grid_only_if_asked(case, tmp_path, method):
    random = lambda images: case[0](tf.nn.dropout(images, 0.5))  # noqa: E731
    refusing, asked = (evaluate(case, random, allow_varying=one) for one in (False, True))
    assert 0 < refusing.natural().accuracy < 1
    argument = {"grid": (1, 1, 3), "grid_map": tmp_path / "map"}.get(method)
    argument = asked.grid((1, 1, 3)) if method == "attack" else argument
    with pytest.raises(ValueError, match=f"'{method}' needs .* depend on chance.*allow_varying"):
        getattr(refusing, method)(argument)
    assert len(getattr(asked, method)(argument).right) == 23
