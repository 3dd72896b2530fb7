"""What is reported, in which order, and which way is better."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import callbacks
from tests import search_oracles as oracles
from tests.robust_models import (
    BATCH,
    DECAY,
    KERNELS,
    assert_terms,
    build,
    build_fixed,
    compiled,
    evaluate,
    fit,
    images,
    labels,
    parts,
)


@pytest.mark.parametrize("name", ["std", "std_star", "wo3_at", "wo3_alp_nat", "wo3_kl"])
def test_what_is_reported(name):
    row, model = oracles.row(name), compiled(build(name))
    names = {"loss", "cross_entropy"}
    names |= {"worst_accuracy"} if row.k else set()
    names |= {"regularizer"} if row.regularizer else set()
    natural = {"natural_accuracy"}
    trained = names if name in ("std_star", "wo3_at") else names | natural
    assert set(fit(model)) == trained
    assert set(evaluate(model)) == names | natural
    assert {metric.name for metric in model.metrics} >= trained


@pytest.mark.parametrize(
    "name, weighted, run_eagerly",
    [
        ("std", True, True), ("wo3_at", True, True), ("wo3_l2", False, True),
        ("wo3_kl_mix", True, True), ("wo3_kl_mix", False, False),
    ],
)  # fmt: skip
def test_evaluation_averages_right_over_a_ragged_last_batch(name, weighted, run_eagerly):
    count, row = 10, oracles.row(name)
    weights = np.linspace(0, 3, count).astype(np.float32) if weighted else None
    model = compiled(build_fixed(name, weight_decay=DECAY), run_eagerly=run_eagerly)
    made = {"natural": images(count).astype(np.float32), **parts(row, count)}
    logits = {
        part: np.array(model.classifier(x, training=False), np.float64) for part, x in made.items()
    }
    kernels = [oracles.weights_of(model.classifier)[i] for i in KERNELS]
    expected = oracles.total_loss(
        row, logits, labels(count), kernels, weights if weighted else 1.0, DECAY
    )
    assert_terms(evaluate(model, count, weights, batch_size=4), expected)


@pytest.mark.parametrize("name", ["std", "std_star", "wo3_at", "wo3_kl_mix"])
def test_names_and_list_and_dictionary_agree(name):
    model = compiled(
        build(name),
        metrics=["accuracy", tf.keras.metrics.SparseTopKCategoricalAccuracy(2, "top_2")],
    )
    for _ in range(2):
        listed = model.evaluate(images(), labels()[:, None], batch_size=BATCH, verbose=0)
        named = model.evaluate(images(), labels()[:, None], return_dict=True, verbose=0)
        assert dict(zip(model.metrics_names, listed)) == pytest.approx(named)
        assert len(listed) == len(model.metrics_names) == len(named)
        assert named["natural_accuracy"] == pytest.approx(named["accuracy"])
        trained = model.train_on_batch(images(), labels()[:, None])
        assert named.keys() - {"natural_accuracy"} <= {*model.metrics_names[: len(trained)]}


MONITORS = ("val_natural_accuracy", "val_worst_accuracy", "val_grid_accuracy")


def test_callbacks_know_which_way_is_better():
    model = compiled(build("wo2_kl"), run_eagerly=False)
    grid = callbacks.GridAccuracy(images(), labels(), every=None, counts=(1, 1, 3))
    stops = [tf.keras.callbacks.EarlyStopping(name) for name in (*MONITORS, "val_cross_entropy")]
    data = images(), labels()
    model.fit(*data, validation_data=data, callbacks=[grid, *stops], verbose=0)
    *accuracies, cross_entropy = (bool(stop.monitor_op(2.0, 1.0)) for stop in stops)
    assert accuracies == [True] * 3 and not cross_entropy
