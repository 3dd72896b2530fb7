"""Rows of the table with S-PGD and the grid as the search: whole steps against NumPy in float64.

What all searches share, the loss and its gradient, robust_model_test checks on the rows of Wo-k.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import Objective, TransformationSet
from spatial_keras.training import defenses
from tests import oracles as warp_oracles
from tests import search_oracles as oracles
from tests.keras_state import steps_taken

BATCH, STEPS, COUNTS = 6, 2, (2, 1, 3)
# No whole numbers: on whole pixels the derivative is one-sided.
BOX = TransformationSet(2.3, 1.7, 25)
DECAY = 2e-4
# Each row of the table with one of the two, by turns.
BY_STEPS, BY_GRID = (list(oracles.searching_rows(search)) for search in (f"pgd{STEPS}", "grid"))
ROWS = BY_STEPS[::2] + BY_GRID[1::2]

IMAGES, LABELS = oracles.images(BATCH), oracles.labels(BATCH)


def build(name, monkeypatch=None, **options):
    """A compiled model, and a list of what its search will be asked and answer."""
    row = defenses.get(name).with_options({"pgd_step_sizes": (0.9, 0.6, 8), "grid_counts": COUNTS})
    model = row.build(oracles.classifier(), BOX, **{"weight_decay": DECAY, **options})
    eager, record = monkeypatch is not None, []
    model.compile(tf.keras.optimizers.SGD(0.02), run_eagerly=eager, jit_compile=False)
    if eager:
        search = type(model.search).__call__

        def recorded(self, classifier, images, labels, objective, seed):
            found = search(self, classifier, images, labels, objective, seed)
            record.append((objective.name, np.array(seed), np.array(found)))
            return found

        monkeypatch.setattr(type(model.search), "__call__", recorded)
    return model, record


def fit(model, steps=1):
    history = model.fit(IMAGES, LABELS, batch_size=BATCH, epochs=steps, shuffle=False, verbose=0)
    return {name: np.array(values) for name, values in history.history.items()}


def expected_worst(name, model, objective, seed):
    """What the search must find with the model's weights, in float64."""
    values = oracles.values_of(model.classifier, IMAGES, LABELS, objective)
    if name.startswith("pgd"):
        start = np.array(BOX.sample(seed, [BATCH]))
        return oracles.climb(values, start, (0.9, 0.6, 8), BOX.bounds, STEPS)
    if name.startswith("grid"):
        return oracles.worst_of(values, np.tile(BOX.grid(COUNTS), (BATCH, 1, 1)))
    return oracles.worst_of(values, np.array(BOX.sample(seed, [BATCH, 3])))


@pytest.mark.parametrize("name, row", ROWS, ids=[name for name, _ in ROWS])
def test_a_whole_step(name, row, monkeypatch):
    model, record = build(name, monkeypatch)
    weights = oracles.weights_of(model.classifier)
    mean = model.classifier.get_layer("norm").get_weights()[2]
    twin, _ = build(name)
    logs = fit(model)

    second = [row.second_objective] if row.second_objective else []
    assert [objective for objective, _, _ in record] == [row.objective, *second]
    parts = {"natural": IMAGES} if "natural" in oracles.names_of_parts(row) else {}
    for part, (objective, seed, found) in zip(("worst", "second"), record):
        worst = expected_worst(name, twin, objective, seed)
        np.testing.assert_allclose(found, worst, atol=1e-5)
        parts[part] = warp_oracles.canvas_warp(IMAGES, worst)
    expected = oracles.training_terms(row, weights, parts, LABELS, decay=DECAY)
    assert set(logs) == set(expected)
    for term, value in expected.items():
        np.testing.assert_allclose(logs[term], [value], rtol=1e-4, atol=1e-6)

    # BatchNorm's moving mean has seen the joint batch, and nothing of the search.
    joint = oracles.convolved(weights, np.concatenate(list(parts.values())))
    new_mean = model.classifier.get_layer("norm").get_weights()[2]
    np.testing.assert_allclose(new_mean, 0.9 * mean + 0.1 * joint.mean((0, 1, 2)), atol=1e-5)


def test_the_two_searches_of_a_step_draw_apart(monkeypatch):
    model, record = build("pgd2_kl_mix", monkeypatch)
    fit(model, steps=2)
    seeds = [tuple(seed) for _, seed, _ in record]
    assert len(set(seeds)) == len(seeds) == 4


@tf.keras.utils.register_keras_serializable("tests", "FidelityDistance")
class Distance(tf.keras.losses.Loss):
    """Sum of absolute differences."""

    def call(self, y_true, y_pred):
        return tf.reduce_sum(abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize("name", ["wo3_kl", "pgd2_kl", "grid_kl"])
def test_an_objective_and_a_regularizer_of_ones_own(name, monkeypatch):
    def change(natural, logits):
        return abs(natural - logits)[:, 0]

    model, record = build(
        name, monkeypatch, objective=Objective("change", change, "natural"),
        regularizer=Distance(name="distance"), regularizer_weight=0.5,
    )  # fmt: skip
    weights, twin = oracles.weights_of(model.classifier), build(name)[0]
    logs = fit(model)
    ((objective, seed, found),) = record
    assert objective == "change"
    worst = expected_worst(name, twin, change, seed)
    np.testing.assert_allclose(found, worst, atol=1e-5)
    batch = np.concatenate([IMAGES, warp_oracles.canvas_warp(IMAGES, worst)])
    natural, adversarial = np.split(oracles.training_logits(weights, batch), 2)
    regularizer = abs(natural - adversarial).sum(-1).mean()
    cross_entropy = oracles.cross_entropy(LABELS, adversarial).mean()
    decay = DECAY * sum((weights[i] ** 2).sum() / 2 for i in (0, 4))
    np.testing.assert_allclose(logs["regularizer"], [regularizer], rtol=1e-4)
    np.testing.assert_allclose(logs["loss"], [cross_entropy + 0.5 * regularizer + decay], rtol=1e-4)


@pytest.mark.parametrize("name", ["pgd2_kl_mix", "grid_l2"])
@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_graphs_take_the_steps_of_eager_mode(name, xla, monkeypatch):
    plain, _ = build(name, monkeypatch)
    expected = fit(plain, 2)
    monkeypatch.undo()
    model, _ = build(name, xla=xla)
    logs = fit(model, 2)
    for term, values in expected.items():
        np.testing.assert_allclose(logs[term], values, rtol=1e-4, atol=1e-6)
    pairs = zip(plain.classifier.get_weights(), model.classifier.get_weights())
    for first, second in pairs:
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["pgd2_kl_nat", "grid_at"])
def test_a_loaded_model_goes_on_equally(name, tmp_path):
    model, _ = build(name)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert repr(loaded.search).split("warp")[0] == repr(model.search).split("warp")[0]
    assert steps_taken(loaded.optimizer) == 1
    expected, logs = fit(model), fit(loaded)
    for term, values in expected.items():
        np.testing.assert_allclose(logs[term], values, rtol=1e-6)
