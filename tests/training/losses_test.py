from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import KLInvariance, LogitInvariance, Objective, RobustModel, WorstOfK
from spatial_keras.training import losses
from tests import oracles, small
from tests.pairwise import pairwise

REFERENCE = np.load(pathlib.Path(__file__).parents[1] / "reference" / "loss_cases.npz")
LOSSES = [
    (KLInvariance, oracles.kl_divergence),
    (LogitInvariance, lambda natural, worst: oracles.squared_distance(natural, worst) / 4),
]
# Function, its oracle, whether its first argument is labels.
DIVERGENCES = [
    (losses.cross_entropy, oracles.cross_entropy, True),
    (losses.kl_divergence, oracles.kl_divergence, False),
    (losses.squared_distance, oracles.squared_distance, False),
]

EXECUTIONS = ("eager", "function", "xla")

all_losses = pytest.mark.parametrize("loss, oracle", LOSSES)
all_divergences = pytest.mark.parametrize("divergence, oracle, takes_labels", DIVERGENCES)


def two_logits(batch=7, classes=5, scale=3.0):
    return np.random.default_rng(batch + classes).normal(scale=scale, size=(2, batch, classes))


def arguments(takes_labels, batch=7, classes=5):
    first, worst = two_logits(batch, classes)
    return (first.argmax(axis=-1) if takes_labels else first), worst


@pytest.mark.parametrize("loss, name", [(KLInvariance, "kl"), (LogitInvariance, "l2")])
def test_reference_values(execution, loss, name):
    natural, worst = REFERENCE["logits_natural"], REFERENCE["logits_adversarial"]
    per_example, mean = REFERENCE[f"{name}_per_example"], REFERENCE[f"{name}_mean"]
    np.testing.assert_allclose(execution(loss(reduction="none"))(natural, worst), per_example, 1e-5)
    np.testing.assert_allclose(execution(loss())(natural, worst), mean, 1e-5)


@pairwise(
    execution=EXECUTIONS,
    indirect=["execution"],
    **{
        "divergence, oracle, takes_labels": DIVERGENCES,
        "batch, classes": [(7, 5), (1, 10), (4, 1), (64, 100)],
    },
)
def test_equals_the_oracle(execution, divergence, oracle, takes_labels, batch, classes):
    first, worst = arguments(takes_labels, batch, classes)
    values = execution(divergence)(tf.constant(first), tf.constant(worst))
    assert values.dtype == tf.float64
    np.testing.assert_allclose(values, oracle(first, worst), rtol=1e-9, atol=1e-12)
    first = first if takes_labels else first.astype(np.float32)
    values = divergence(first, worst.astype(np.float32))
    assert values.dtype == tf.float32
    assert values.shape == [batch]
    np.testing.assert_allclose(values, oracle(first, worst), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "dtype, shape", [("uint8", (7,)), ("int32", (7, 1)), ("int64", (7,)), ("float32", (7, 1))]
)
def test_cross_entropy_takes_any_labels(dtype, shape):
    labels, logits = arguments(takes_labels=True)
    values = losses.cross_entropy(tf.cast(labels.reshape(shape), dtype), logits)
    np.testing.assert_allclose(values, oracles.cross_entropy(labels, logits), rtol=1e-9)


@all_divergences
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_computes_16_bit_logits_in_float32(divergence, oracle, takes_labels, dtype):
    first, worst = arguments(takes_labels)
    worst = tf.cast(worst, dtype)
    first = first if takes_labels else tf.cast(first, dtype)
    values = divergence(first, worst)
    assert values.dtype == tf.float32
    rounded = first if takes_labels else tf.cast(first, tf.float64).numpy()
    expected = oracle(rounded, tf.cast(worst, tf.float64).numpy())
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


@all_losses
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_losses_compute_16_bit_logits_in_float32(loss, oracle, dtype):
    natural, worst = (tf.cast(logits, dtype) for logits in two_logits())
    value = loss()(natural, worst)
    assert value.dtype == tf.float32
    expected = oracle(*(tf.cast(logits, tf.float64).numpy() for logits in (natural, worst)))
    np.testing.assert_allclose(value, expected.mean(), rtol=1e-5)


@pairwise(
    execution=EXECUTIONS,
    reduction=["none", "sum", "sum_over_batch_size"],
    weighted=[False, True],
    indirect=["execution"],
    **{"loss, oracle": LOSSES},
)
def test_reductions_and_sample_weights(execution, loss, oracle, reduction, weighted):
    natural, worst = two_logits()
    weights = np.array([0, 1, 2, 0.5, 3, 0, 1]) if weighted else None
    # Keras divides by the number of examples, not by the sum of their weights.
    reduce = {"none": np.asarray, "sum": np.sum, "sum_over_batch_size": np.mean}[reduction]
    expected = reduce(oracle(natural, worst) * (weights if weighted else 1))
    value = execution(loss(reduction=reduction))(natural, worst, weights)
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pairwise(
    execution=EXECUTIONS,
    scale=[1e2, 1e4],
    indirect=["execution"],
    **{"divergence, oracle, takes_labels": DIVERGENCES},
)
def test_extreme_logits_stay_finite(execution, divergence, oracle, takes_labels, scale):
    worst = scale * np.array([[1, -1, 0], [-1, 1, 1], [1, 1, 1], [0, 0, -1]], np.float32)
    natural = scale * np.array([[-1, 1, 0], [-1, 1, 1], [-1, -1, -1], [0, -1, 0]], np.float32)
    first = np.array([1, 0, 2, 2]) if takes_labels else natural

    @execution
    def values_and_gradients(worst):
        with tf.GradientTape() as tape:
            tape.watch(worst)
            values = divergence(first, worst)
        return values, tape.gradient(values, worst)

    values, gradients = values_and_gradients(tf.constant(worst))
    assert np.all(np.isfinite(gradients))
    np.testing.assert_allclose(values, oracle(first, worst), rtol=1e-5, atol=1e-6)


def test_kl_is_natural_relative_to_worst():
    # Probabilities (0.9, 0.1) and (0.5, 0.5): the two directions differ.
    natural, worst = np.log([[0.9, 0.1]]), np.log([[0.5, 0.5]])
    expected = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    reverse = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)
    np.testing.assert_allclose(losses.kl_divergence(natural, worst), [expected], rtol=1e-6)
    np.testing.assert_allclose(losses.kl_divergence(worst, natural), [reverse], rtol=1e-6)
    np.testing.assert_allclose(KLInvariance()(natural, worst), expected, rtol=1e-5)


def test_kl_is_bounded_by_the_probability_floor():
    value = losses.kl_divergence([[1e4, 0.0]], [[0.0, 1e4]]).numpy().item()
    np.testing.assert_allclose(value, -np.log(1e-8), rtol=1e-5)


@all_divergences
def test_gradients_are_finite_differences(divergence, oracle, takes_labels):
    first, worst = arguments(takes_labels, batch=3, classes=4)
    weights = np.array([1.0, -2.0, 0.5])
    both = (tf.constant(first), tf.constant(worst))
    with tf.GradientTape() as tape:
        tape.watch(both)
        value = tf.reduce_sum(divergence(*both) * weights)
    by_first, by_worst = tape.gradient(value, both)
    expected = oracles.central_differences(lambda x: np.sum(oracle(first, x) * weights), worst)
    np.testing.assert_allclose(by_worst, expected, rtol=1e-6, atol=1e-8)
    assert np.all(np.any(expected != 0, axis=-1))
    if takes_labels:
        assert by_first is None
        return
    expected = oracles.central_differences(lambda x: np.sum(oracle(x, worst) * weights), first)
    np.testing.assert_allclose(by_first, expected, rtol=1e-6, atol=1e-8)
    assert np.all(np.any(expected != 0, axis=-1))


@all_losses
def test_losses_pass_gradients_to_both_branches(loss, oracle):
    natural, worst = (tf.constant(logits, tf.float32) for logits in two_logits(batch=3))
    with tf.GradientTape() as tape:
        tape.watch([natural, worst])
        value = loss()(natural, worst)
    gradients = tape.gradient(value, [natural, worst])
    for position, gradient in enumerate(gradients):

        def mean(changed, position=position):
            both = [natural.numpy(), worst.numpy()]
            both[position] = changed
            return oracle(*both).mean()

        point = (natural, worst)[position].numpy().astype(np.float64)
        expected = oracles.central_differences(mean, point)
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("divergence", [losses.kl_divergence, losses.squared_distance])
def test_zero_at_equality_and_positive_elsewhere(divergence):
    natural, worst = two_logits()
    np.testing.assert_array_equal(divergence(natural, natural), 0)
    assert np.all(divergence(natural, worst) > 0)


@all_divergences
def test_examples_do_not_mix(divergence, oracle, takes_labels):
    first, worst = arguments(takes_labels)
    order = np.array([3, 1, 6, 0, 5, 2, 4])
    values = divergence(first, worst).numpy()
    np.testing.assert_allclose(divergence(first[order], worst[order]), values[order], rtol=1e-12)
    np.testing.assert_allclose(divergence(first[:1], worst[:1]), values[:1], rtol=1e-12)


@all_divergences
def test_one_class_leaves_nothing_to_confuse(divergence, oracle, takes_labels):
    first, worst = arguments(takes_labels, batch=3, classes=1)
    expected = np.square(first - worst)[:, 0] if divergence is losses.squared_distance else 0
    np.testing.assert_allclose(divergence(first, worst), expected, atol=1e-15)


@pytest.mark.parametrize(
    "name, function, reference",
    [
        ("ce", losses.cross_entropy, "labels"),
        ("kl", losses.kl_divergence, "natural"),
        ("l2", losses.squared_distance, "natural"),
    ],
)
def test_objectives(name, function, reference):
    objective = losses.get_objective(name)
    assert objective == Objective(name, function, reference)
    assert losses.get_objective(objective) is objective


def test_get_objective_refuses_unknown_names():
    assert list(losses.OBJECTIVES) == ["ce", "kl", "l2"]
    message = r"^unknown objective 'kll': did you mean 'kl'\? Allowed: ce, kl, l2\.$"
    with pytest.raises(ValueError, match=message):
        losses.get_objective("kll")


@tf.keras.utils.register_keras_serializable("tests")
def first_logit(labels, logits):
    return logits[:, 0]


@pytest.mark.parametrize(
    "objective",
    [*losses.OBJECTIVES.values(), Objective("ce", first_logit, "labels")],
    ids=["ce", "kl", "l2", "mine"],
)
def test_objectives_survive_json(objective):
    text = json.dumps(tf.keras.utils.serialize_keras_object(objective))
    assert tf.keras.utils.deserialize_keras_object(json.loads(text)) == objective


def test_an_objective_of_an_unregistered_function_is_not_saved():
    message = "^objective 'mine' cannot be saved: register its function with tf.keras.*able.$"
    with pytest.raises(ValueError, match=message):
        Objective("mine", lambda labels, logits: logits[:, 0], "labels").get_config()


def model_with(function):
    objective = Objective("mine", function, "labels")
    classifier = small.robust_model().classifier
    return RobustModel(classifier, search=WorstOfK(2), cross_entropy="worst", objective=objective)


def second_logit(labels, logits):
    return logits[:, 1]


def test_a_model_with_an_objective_of_ones_own_is_saved_and_loaded(tmp_path, monkeypatch):
    file, name = tmp_path / "model.keras", "elsewhere>second_logit"
    with monkeypatch.context() as registry:
        registry.setitem(tf.keras.utils.get_custom_objects(), name, second_logit)
        model_with(second_logit).save(file)
        found = tf.keras.models.load_model(file)
    assert found.objective == Objective("mine", second_logit, "labels")
    found = tf.keras.models.load_model(file, custom_objects={name: second_logit})
    assert found.objective == Objective("mine", second_logit, "labels")
    with pytest.raises(ValueError, match=f"needs its function '{name}': import the module"):
        tf.keras.models.load_model(file)
    with pytest.raises(ValueError, match="objective 'mine' cannot be saved: register its"):
        model_with(second_logit).save(tmp_path / "other.keras")


def test_an_objective_of_a_function_that_is_not_imported_is_not_loaded():
    config = {"name": "mine", "function": "elsewhere>first", "reference": "labels"}
    message = "^objective 'mine' needs its function 'elsewhere>first': import the module"
    with pytest.raises(ValueError, match=message):
        Objective.from_config(config)
    with tf.keras.utils.custom_object_scope({"elsewhere>first": first_logit}):
        assert Objective.from_config(config) == Objective("mine", first_logit, "labels")


@pytest.mark.parametrize("name, loss", [("kl", KLInvariance), ("l2", LogitInvariance)])
def test_get_regularizer(name, loss):
    regularizer = losses.get_regularizer(name)
    assert type(regularizer) is loss
    assert losses.get_regularizer(regularizer) is regularizer
    assert losses.get_regularizer(None) is None


def test_get_regularizer_refuses_anything_else():
    message = r"^unknown regularizer 'l1': did you mean '..'\? Allowed: kl, l2\.$"
    with pytest.raises(ValueError, match=message):
        losses.get_regularizer("l1")
    with pytest.raises(TypeError, match="^regularizer must be a .*Loss, 'kl', 'l2' or None, got 3"):
        losses.get_regularizer(3)


@all_losses
def test_config_round_trip(loss, oracle):
    original = loss(reduction="sum", name="mine")
    config = original.get_config()
    assert (config["reduction"], config["name"]) == ("sum", "mine")
    assert loss.from_config(config).get_config() == config
    serialized = json.loads(json.dumps(tf.keras.utils.serialize_keras_object(original)))
    loaded = tf.keras.utils.deserialize_keras_object(serialized)
    assert type(loaded) is loss
    natural, worst = two_logits()
    np.testing.assert_array_equal(loaded(natural, worst), original(natural, worst))


def test_cross_entropy_of_distributions_is_the_expected_one():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=[5, 3]), rng.dirichlet(np.ones(3), 5)
    every = [oracles.cross_entropy(np.full(5, label), logits) for label in range(3)]
    expected = np.sum(labels * np.stack(every, axis=1), axis=1)
    np.testing.assert_allclose(losses.cross_entropy(labels, logits), expected, rtol=1e-6)


def test_the_mean_of_nothing_is_0():
    assert float(losses.mean(tf.zeros([0]))) == 0.0
    values, weights = tf.constant([1.0, 3.0]), tf.constant([0.5, 2.0])
    assert float(losses.mean(values)) == 2.0 and float(losses.mean(values, weights)) == 3.25
    with pytest.raises(ValueError, match="one value per example"):
        losses.mean(tf.zeros([2, 2]))


def test_hits_are_of_the_likeliest_class():
    logits = tf.constant([[0.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    soft = tf.constant([[0.4, 0.6], [0.9, 0.1], [0.9, 0.1]])
    for labels in (tf.constant([1, 0, 0]), soft):
        np.testing.assert_array_equal(losses.hits(labels, logits), [1, 0, 1])
