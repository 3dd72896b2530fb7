"""The same steps in every mode, in a loaded model, in 16 bits, and on several devices."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import Objective, RobustModel, SpatialWarp, TransformationSet, WorstOfK
from spatial_keras.experiments import distribution
from tests import search_oracles as oracles
from tests.keras_state import optimizer_values, steps_taken
from tests.robust_models import (
    BATCH,
    DECAY,
    FIXED,
    POINT,
    Distance,
    Hinge,
    Recorder,
    assert_terms,
    assert_weights_equal,
    build,
    build_fixed,
    compiled,
    evaluate,
    fit,
    images,
    labels,
    weights_differ,
)

# Modes of execution.


def build_with_everything(**options):
    """Shift, two searches, both kinds of images, decay, and penalties of the classifier's own."""
    classifier = oracles.classifier(activity_regularizer=tf.keras.regularizers.L2(1e-3))
    return build("wo2_kl_mix", classifier, shift=2, weight_decay=DECAY, **options)


@pytest.fixture(scope="module")
def two_steps():
    """A model after two steps as plain graphs, with its logs."""
    model = compiled(build_with_everything(), run_eagerly=False)
    return model, fit(model, steps=2)


@pytest.mark.parametrize(
    "xla, options",
    [
        pytest.param(False, {}, id="eager"),
        pytest.param(True, {"run_eagerly": False}, id="inner", marks=pytest.mark.slow),
        pytest.param(
            False, {"run_eagerly": False, "jit_compile": True}, id="whole", marks=pytest.mark.slow
        ),
    ],
)
def test_all_modes_take_the_same_steps(two_steps, xla, options):
    plain, expected = two_steps
    model = compiled(build_with_everything(xla=xla), **options)
    assert_terms(fit(model, steps=2), expected, rtol=1e-4)
    assert_weights_equal(model, plain, rtol=1e-4, atol=1e-4)
    assert evaluate(model) == pytest.approx(evaluate(plain), rel=1e-3)


@pytest.mark.slow
def test_a_step_along_further_axes_is_the_same_under_xla():
    box = TransformationSet(2, 2, 30, 1.2, 10, 10, max_pitch=15, max_yaw=15)
    models = [build("wo3_kl", None, box, xla=xla) for xla in (True, False)]
    logs = [fit(compiled(model, run_eagerly=False), steps=1) for model in models]
    assert_terms(*logs, rtol=1e-4)
    assert_weights_equal(*models, rtol=1e-4, atol=1e-4)
    unmoved = build("wo3_kl", None, POINT)
    fit(compiled(unmoved, run_eagerly=False), steps=1)
    assert weights_differ(models[0], unmoved)


def test_several_steps_in_one_execution():
    models = [
        compiled(build("std_star"), run_eagerly=False, steps_per_execution=steps)
        for steps in (1, 2)
    ]
    for model in models:
        model.fit(images(12), labels(12), batch_size=3, shuffle=False, verbose=0)
    assert_weights_equal(*models, atol=1e-6)


def test_a_batch_that_cannot_be_read_is_no_step():
    def read(row):
        time.sleep(0.2 * int(row))  # the step could be counted meanwhile
        if row:
            raise OSError("no such sector")
        return np.float32(images(2)), np.int32(labels(2))

    def shaped(row):
        some, classes = tf.numpy_function(read, [row], [tf.float32, tf.int32])
        return tf.ensure_shape(some, [2, *images(1).shape[1:]]), tf.ensure_shape(classes, [2])

    model = compiled(build("std"), run_eagerly=False)
    with pytest.raises(tf.errors.OpError, match="no such sector"):
        model.fit(tf.data.Dataset.range(2).map(shaped), epochs=1, steps_per_epoch=2, verbose=0)
    assert int(tf.keras.backend.get_value(model.train_steps)) == 1


# Determinism.


def test_the_same_seed_gives_the_same_weights():
    first, second, other = (compiled(build("wo3_kl_mix", seed=seed)) for seed in (1, 1, 2))
    for model in (first, second, other):
        fit(model, steps=3)
    assert_weights_equal(first, second)
    assert weights_differ(first, other)


@pytest.mark.parametrize("name", ["std", "std_star", "wo3_kl"])
def test_draws_depend_on_the_step(name):
    whole = compiled(build(name), tf.keras.optimizers.SGD(0.1))
    fit(whole, steps=2)
    middle = whole.classifier.get_weights()
    fit(whole)
    resumed, restarted = (compiled(build(name), tf.keras.optimizers.SGD(0.1)) for _ in range(2))
    for model in (resumed, restarted):
        model.classifier.set_weights(middle)
    resumed.train_steps.assign(2)
    for model in (resumed, restarted):
        fit(model)
    assert_weights_equal(resumed, whole)
    assert weights_differ(restarted, whole)


# Saving.


def assert_goes_on_equally(model, path):
    model.save(path)
    loaded = tf.keras.models.load_model(path)
    assert type(loaded) is RobustModel
    expected = model.predict(images(), verbose=0)
    np.testing.assert_array_equal(loaded.predict(images(), verbose=0), expected)
    assert steps_taken(loaded.optimizer) == steps_taken(model.optimizer) > 0
    states = [optimizer_values(each.optimizer) for each in (model, loaded)]
    assert len(states[0]) == len(states[1])
    for x, y in zip(*states):
        np.testing.assert_array_equal(x, y)
    assert_terms(fit(loaded), fit(model), rtol=0)
    assert_weights_equal(loaded, model)
    return loaded


@pytest.mark.parametrize("name", ["std", "wo3_at", "wo3_klc_nat", "wo3_kl_mix", "wo3_l2"])
def test_a_loaded_model_goes_on_equally(name, tmp_path):
    options = {"regularizer_weight": 1.5, "weight_decay": 0.1, "seed": 9}
    model = compiled(build(name, **options))
    fit(model)
    loaded = assert_goes_on_equally(model, tmp_path / "model.keras")
    for attribute in ("cross_entropy", "shift", "xla", *options):
        assert getattr(loaded, attribute) == getattr(model, attribute)
    assert repr(loaded.search).split("warp")[0] == repr(model.search).split("warp")[0]
    for attribute in ("objective", "cross_entropy_objective"):
        assert getattr(loaded, attribute) == getattr(model, attribute)
    assert type(loaded.regularizer) is type(model.regularizer)


@tf.keras.utils.register_keras_serializable("tests")
def margin(labels, logits):
    """How far the largest logit is above the label's."""
    return tf.reduce_max(logits, axis=-1) - tf.gather(logits, labels, batch_dims=1)


def test_a_loaded_model_has_the_parts_of_ones_own(tmp_path):
    search = WorstOfK(4, TransformationSet(1, 0, 90), SpatialWarp(composition="joint"), 3)
    model = RobustModel(
        oracles.classifier(),
        search,
        objective=Objective("margin", margin, "labels"),
        cross_entropy_objective="ce",
        regularizer=Distance(name="distance"),
    )
    compiled(model, tf.keras.optimizers.Adam(0.01), run_eagerly=False, loss=Hinge())
    fit(model)
    loaded = assert_goes_on_equally(model, tmp_path / "model.keras")
    assert loaded.objective == model.objective and loaded.objective.function is margin
    assert loaded.cross_entropy_objective == model.cross_entropy_objective
    assert type(loaded.regularizer) is Distance and type(loaded.loss) is Hinge
    assert loaded.search.transformations == search.transformations
    assert (loaded.search.k, loaded.search.candidates_per_pass) == (4, 3)
    assert loaded.search.warp.composition == "joint"


@pytest.mark.slow
def test_the_classifier_alone_loads_without_this_package(tmp_path):
    model = compiled(build("wo3_kl"))
    fit(model)
    model.classifier.save(tmp_path / "classifier.keras")
    np.save(tmp_path / "images.npy", images())
    code = (
        "import sys; sys.modules['spatial_keras'] = None\n"
        "import numpy as np, tensorflow as tf\n"
        "model = tf.keras.models.load_model('classifier.keras')\n"
        "np.save('logits.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-5, atol=1e-6)


# Mixed precision.


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def policy(request):
    tf.keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    tf.keras.mixed_precision.set_global_policy("float32")


def single_precision(make):
    """Makes under the policy float32."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    made = make()
    tf.keras.mixed_precision.set_global_policy(policy)
    return made


@pytest.mark.parametrize(
    "policy, xla",
    [
        ("mixed_float16", False),
        ("mixed_bfloat16", False),
        pytest.param("mixed_float16", True, marks=pytest.mark.slow),
    ],
    indirect=["policy"],
)
def test_mixed_precision_trains(policy, xla):
    options = {"weight_decay": DECAY, "regularizer_weight": 0.1}
    model = compiled(build_fixed("wo3_kl_mix", **options, xla=xla), run_eagerly=False)
    assert model.classifier(images()).dtype == policy.split("_")[1]
    exact = single_precision(lambda: compiled(build_fixed("wo3_kl_mix", **options)))
    before = exact.classifier.get_weights()
    logs, expected = fit(model, steps=3), fit(exact, steps=3)
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=0.05)
    assert steps_taken(model.optimizer) == 3
    changes = [
        np.concatenate([np.ravel(x - y) for x, y in zip(each.classifier.get_weights(), before)])
        for each in (model, exact)
    ]
    assert np.linalg.norm(changes[0] - changes[1]) < 0.1 * np.linalg.norm(changes[1])


@tf.keras.utils.register_keras_serializable("tests")
class Tiny(tf.keras.losses.Loss):
    """Cross-entropy / 10^7, whose gradient is nothing in float16 unless the loss is scaled."""

    def call(self, y_true, y_pred):
        return 1e-7 * tf.keras.losses.sparse_categorical_crossentropy(
            y_true, y_pred, from_logits=True
        )


@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_float16_scales_the_loss(policy):
    optimizers = [tf.keras.optimizers.SGD(1e6) for _ in range(2)]
    model = compiled(build_fixed("wo3_at"), optimizers[0], loss=Tiny())
    assert isinstance(model.optimizer, tf.keras.mixed_precision.LossScaleOptimizer)
    exact = single_precision(lambda: compiled(build_fixed("wo3_at"), optimizers[1], loss=Tiny()))
    before = exact.classifier.get_layer("conv").get_weights()[0]
    for each in (model, exact):
        fit(each)
    changes = [
        each.classifier.get_layer("conv").get_weights()[0] - before for each in (model, exact)
    ]
    assert np.linalg.norm(changes[0] - changes[1]) < 0.05 * np.linalg.norm(changes[1])


def test_mixed_precision_does_not_round_grey_levels(policy):
    seen = []
    grey = (images() / 255 * 254 + 0.03).astype(np.float32)
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = compiled(build_fixed("wo3_kl", classifier))
    model.fit(grey, labels(), batch_size=BATCH, shuffle=False, verbose=0)
    model.evaluate(grey, labels(), batch_size=BATCH, verbose=0)
    model.predict(grey, batch_size=BATCH, verbose=0)
    assert [len(batch) for batch, _ in seen] == [2 * BATCH, 2 * BATCH, BATCH]
    worst = single_precision(lambda: SpatialWarp()(grey, np.tile(FIXED["kl"], (BATCH, 1))))
    for batch, _ in seen:
        assert batch.dtype == np.float32
        np.testing.assert_array_equal(batch[:BATCH], grey)
        np.testing.assert_allclose(batch[BATCH:], worst[: len(batch) - BATCH], atol=1e-3)


def test_mixed_precision_models_load(policy, tmp_path):
    model = compiled(build("wo3_kl", regularizer_weight=0.1))
    fit(model)
    loaded = assert_goes_on_equally(model, tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(model.optimizer)


# Several devices.


@pytest.fixture(scope="module")
def strategy():
    assert len(tf.config.list_logical_devices("CPU")) == 2, "tests/conftest.py gives two"
    # The one of the process: the eager reductions of a second one take the first one's numbers.
    return distribution.get("mirrored").strategy


def build_under(strategy, name, batch_norm=True, run_eagerly=True, **options):
    with strategy.scope():
        model = build(name, oracles.classifier(batch_norm), **options)
        return compiled(model, run_eagerly=run_eagerly)


@pytest.mark.slow
def test_two_replicas_train_and_evaluate_with_and_without_xla(strategy):
    models = [build_under(strategy, "wo2_at", run_eagerly=False, xla=xla) for xla in (False, True)]
    logs = [fit(model, steps=2, count=8) for model in models]
    assert_terms(logs[1], logs[0], rtol=1e-4)
    assert_weights_equal(*models, rtol=1e-4, atol=1e-4)
    assert steps_taken(models[0].optimizer) == 2
    results = [evaluate(model, 8, batch_size=8) for model in models]
    assert results[0] == pytest.approx(results[1], rel=1e-3)
    assert set(results[0]) == {*logs[0], "natural_accuracy"}


@pytest.mark.parametrize("name", ["wo2_at_mix", "wo2_l2"])
def test_two_replicas_take_the_step_of_one(strategy, name):
    options = {"batch_norm": False, "transformations": POINT, "weight_decay": 0.1}
    strategies = (strategy, tf.distribute.get_strategy())
    models = [build_under(each, name, **options) for each in strategies]
    weights = np.linspace(0, 2, 8).astype(np.float32)
    logs = [fit(model, steps=2, weights=weights, count=8) for model in models]
    assert_terms(*logs)
    assert_weights_equal(*models, atol=1e-6)
    results = [evaluate(model, 8, weights, batch_size=8) for model in models]
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_replicas_draw_for_themselves(strategy):
    seen = []
    with strategy.scope():
        classifier = oracles.classifier(False, before=[Recorder(seen.append)])
        model = compiled(build("std_star", classifier))
    twice = np.repeat(images(1), 2, axis=0)
    model.fit(twice, np.zeros(2, np.int32), batch_size=2, verbose=0)
    first, second = (batch for batch, _ in seen)
    assert len(first) == len(second) == 1
    assert np.any(abs(first - second) > 1)
