"""Whatever a user of Keras hands to fit trains as arrays do, or is refused in one line."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from tests.fit_cases import BATCH, X, Y, model, network


class Batches(tf.keras.utils.Sequence):
    def __init__(self, labels=Y):
        super().__init__()
        self.labels = labels

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(BATCH * index, BATCH * (index + 1))
        return X[rows], self.labels[rows]


def generator(labels=Y):
    batches = Batches(labels)
    while True:
        yield from (batches[0], batches[1])


def of_unknown_shape(labels=Y):
    data = tf.data.Dataset.from_tensor_slices((X, labels)).batch(BATCH)
    return data.map(lambda *pair: tf.py_function(lambda *both: both, pair, [t.dtype for t in pair]))


def image_data_generator(labels=Y):
    flow = tf.keras.preprocessing.image.ImageDataGenerator().flow
    return flow(X, labels, batch_size=BATCH, shuffle=False)


KINDS = {
    "sequence": Batches,
    "flow": image_data_generator,
    "generator": generator,
    "py_function": of_unknown_shape,
}


def loss_after(data, robust=None, **options):
    history = (robust or model()).fit(data, shuffle=False, steps_per_epoch=2, verbose=0, **options)
    return history.history


@pytest.fixture(name="expected", scope="module")
def fit_arrays():
    tf.keras.utils.set_random_seed(0)
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    return model().fit(X, Y, validation_data=(X, Y), validation_batch_size=BATCH, **options).history


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_trains_as_arrays_do(expected, kind):
    found = loss_after(KINDS[kind]())
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)


@pytest.mark.parametrize("kind", ["generator", "py_function"])
@pytest.mark.parametrize("size, jit_compile", [(12, True), (None, False), (None, True)])
def test_data_of_unknown_shape_train_compiled_and_any_size(kind, size, jit_compile):
    expected, found = (
        loss_after(data, model(network(size=size), jit_compile=jit_compile))
        for data in (tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH), KINDS[kind]())
    )
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)


def test_validation_data_of_unknown_shape(expected):
    found = loss_after(KINDS["sequence"](), validation_data=KINDS["sequence"]())
    np.testing.assert_allclose(found["val_loss"], expected["val_loss"], rtol=1e-5)


@pytest.mark.parametrize("kind", ["arrays", "generator"])
def test_one_hot_labels_are_class_numbers(expected, kind):
    one_hot = np.eye(4, dtype=np.float32)[Y]
    if kind == "generator":
        found = loss_after(generator(one_hot))
    else:
        found = model().fit(X, one_hot, batch_size=BATCH, shuffle=False, verbose=0).history
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["worst_accuracy"], expected["worst_accuracy"])


CASES = {
    "soft": (
        network, np.random.default_rng(1).dirichlet(np.ones(4), 16).astype(np.float32),
        tf.keras.losses.CategoricalCrossentropy(from_logits=True), False,
    ),
    "smoothed": (
        network, np.eye(4, dtype=np.float32)[Y],
        tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), True,
    ),
    "softmax": (
        lambda: network(4, "softmax"), Y, tf.keras.losses.SparseCategoricalCrossentropy(), False,
    ),
    "softmax, given loss": (
        lambda: network(4, "softmax"), Y, tf.keras.losses.SparseCategoricalCrossentropy(), True,
    ),
    "sigmoid": (lambda: network(1, "sigmoid"), Y % 2, tf.keras.losses.BinaryCrossentropy(), False),
    "sigmoid, given loss": (
        lambda: network(1, "sigmoid"), Y % 2, tf.keras.losses.BinaryCrossentropy(), True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_labels_and_outputs_of_every_kind_train_as_in_keras(case):
    """Without a search, plain Keras is the oracle."""
    make, labels, loss, given = CASES[case]
    plain, robust = make(), sk.RobustModel(make(), cross_entropy="natural")
    plain.compile("sgd", loss, metrics=["accuracy"], jit_compile=False, run_eagerly=True)
    options = {"loss": loss, "metrics": ["accuracy"]} if given else {}
    robust.compile("sgd", jit_compile=False, run_eagerly=True, **options)
    logs = [
        one.fit(X, labels, batch_size=BATCH, shuffle=False, verbose=0).history
        for one in (plain, robust)
    ]
    np.testing.assert_allclose(logs[1]["loss"], logs[0]["loss"], rtol=1e-5)
    accuracy = logs[1]["accuracy" if given else "natural_accuracy"]
    np.testing.assert_allclose(accuracy, logs[0]["accuracy"], rtol=1e-6)
    for one, other in zip(robust.classifier.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_the_search_finds_the_same_with_logits_and_probabilities(expected, activation):
    found = model(network(activation=activation)).fit(
        X, Y, batch_size=BATCH, shuffle=False, verbose=0
    )
    np.testing.assert_allclose(found.history["loss"], expected["loss"], rtol=1e-5)


def nothing_computed(*_, **__):
    raise AssertionError("a step was taken")


WRONG = {
    "0..1": (X / 255.0, Y, "images must be pixel values 0..255, these are 0..1: multiply"),
    "0 and 1": (X // 255, Y, "images must be pixel values 0..255, these are 0..1"),
    "bool": (X > 100, Y, "images must be pixel values 0..255, these are 0..1"),
    "NaN": (np.where(X == 7, np.nan, X), Y, "images must be .*(finite|got nan)"),
    "negative": (X - 128.0, Y, "images must be pixel values 0..255, got -128 to"),
    "size": (X[:, 1:], Y, r"images must be \[batch, 12, 12, 1\], got shape"),
    "no batch": (X[0], Y[:12], r"images must be \[batch, 12, 12, 1\], got shape"),
    "out of range": (X, Y + 1, r"labels must be class numbers 0..3, integer \[batch\]"),
    "fractions": (X, Y + 0.5, r"labels must be class numbers 0..3, integer \[batch\]"),
    "three classes": (X, np.eye(3)[Y % 3], r"labels must be class numbers .* got shape"),
    "no distribution": (X, 2 * np.eye(4)[Y], "labels must be class numbers"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_refused_before_a_step(monkeypatch, case):
    images, labels, message = WRONG[case]
    robust = model(run_eagerly=True)
    monkeypatch.setattr(robust, "train_step", nothing_computed)
    with pytest.raises(ValueError, match=message) as error:
        robust.fit(images, labels, verbose=0)
    assert "\n" not in str(error.value)


WRONG_VALUES = ["0..1", "0 and 1", "NaN", "out of range", "fractions", "no distribution"]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_wrong_batch_is_refused_when_it_comes(monkeypatch, case, jit_compile):
    images, labels, message = WRONG[case]
    robust = model()
    robust.compile("sgd", jit_compile=jit_compile)
    if jit_compile:  # XLA cannot refuse, so nothing may be compiled
        monkeypatch.setattr(robust, "train_step", nothing_computed)
    with pytest.raises(ValueError, match=message) as error:
        robust.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(16), verbose=0)
    assert "\n" not in str(error.value)


def test_unbatched_data_of_unknown_rank_are_refused():
    data = of_unknown_shape().unbatch()
    with pytest.raises(ValueError, match="is the data batched"):
        model().fit(data, verbose=0)


def test_a_frozen_classifier_with_weight_decay_keeps_its_weights():
    classifier = network()
    classifier.trainable = False
    robust = sk.RobustModel(classifier, cross_entropy="natural", weight_decay=0.1)
    robust.compile("sgd", jit_compile=False, run_eagerly=True)
    before = classifier.get_weights()
    plain = network()
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = loss(Y, plain(X.astype(np.float32)))
    logs = robust.evaluate(X, Y, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    robust.fit(X, Y, verbose=0)
    for one, other in zip(classifier.get_weights(), before):
        np.testing.assert_array_equal(one, other)


def test_class_weights_under_floatx_float64():
    """Plain Keras is the oracle."""
    tf.keras.backend.set_floatx("float64")
    try:
        plain, classifier = network(), network()
        robust = sk.RobustModel(classifier, sk.WorstOfK(2), cross_entropy="worst")
        natural = sk.RobustModel(classifier, cross_entropy="natural")
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        options = {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5, 3: 3.0}, "shuffle": False, "verbose": 0}
        losses = []
        for one, of_labels in ((plain, loss), (natural, None), (robust, None)):
            one.compile(tf.keras.optimizers.SGD(1e-9), of_labels, jit_compile=False)
            losses.append(one.fit(X, Y, batch_size=BATCH, **options).history["loss"][0])
    finally:
        tf.keras.backend.set_floatx("float32")
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert np.isfinite(losses[2])
