"""An axis of one's own, one small class, in all that goes by the axes of a set.

The oracle warps with SciPy in float64 and judges every image at every point.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import (
    GradientSearch,
    GridSearch,
    SpatialWarp,
    TransformationSet,
    WorstOfK,
    evaluation,
    figures,
)
from spatial_keras.geometry.axes import Axis, stacked
from spatial_keras.training import defenses, losses
from tests import evaluation_cases as cases
from tests import oracles


@tf.keras.utils.register_keras_serializable("tests")
class Zoom(Axis):
    """`zoom`: a factor about the centre, symmetric in its logarithm."""

    name = "zoom"
    unit = "factor"
    points = 3
    identity = 1.0

    def value_at(self, place):
        return self.bound**place

    def matrix(self, values, height, width):
        return stacked([[values, 0, 0], [0, values, 0], [0, 0, 1]], values)

    def write(self, value):
        return f"x{value:.2f}"


BOX = TransformationSet(1, 1, 8, own_axes=[Zoom(1.3)])
COUNTS = (1, 3, 3, 3)
CROSS_ENTROPY = losses.get_objective("ce")


def warp(image, parameters):
    """Zooms, turns, then shifts [height, width, channels], in float64."""
    tx, ty, degrees, zoom = np.asarray(parameters, np.float64)
    center = (np.array(image.shape[1::-1]) - 1) / 2
    turn = np.deg2rad(degrees)
    content = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    from_center = np.stack([x - center[0] - tx, y - center[1] - ty])
    back = np.tensordot(np.linalg.inv(content), from_center, axes=1) + center[:, None, None]
    return oracles.bilinear(image, back[0], back[1])


@pytest.fixture(name="case", scope="module")
def make_case():
    classifier, images = cases.network(), cases.images()
    return classifier, images, cases.labels(classifier, images)


@pytest.fixture(name="margins", scope="module")
def make_margins(case):
    """Of every image at every point, [n, points]."""
    classifier, images, labels = case
    columns = []
    for point in BOX.grid(COUNTS):
        warped = np.stack([warp(image, point) for image in images])
        logits = np.asarray(classifier(warped.astype(np.float32)), np.float64)
        columns.append(cases.margins(logits, labels))
    return np.stack(columns, axis=1)


@pytest.fixture(name="evaluator", scope="module")
def make_evaluator(case):
    return evaluation.Evaluator(*case, transformations=BOX)


def test_the_set_has_the_column():
    assert BOX.names == ("tx", "ty", "rotation", "zoom")
    assert BOX.default_counts == (5, 5, 31, 3)
    grid = BOX.grid((1, 1, 1, 5))
    np.testing.assert_allclose(grid[:, 3], 1.3 ** np.array([-1, -0.5, 0, 0.5, 1]), rtol=1e-6)
    assert grid[2, 3] == 1 and len(BOX.grid()) == 2325
    draws = BOX.sample([1, 2], [2000]).numpy()
    np.testing.assert_array_equal(draws[:, :3], BOX.clip(draws)[:, :3])
    assert abs(np.log(draws[:, 3]).mean()) < 0.02
    assert abs(np.log(draws[:, 3])).max() == pytest.approx(np.log(1.3), rel=1e-2)
    np.testing.assert_allclose(BOX.clip([[0, 0, 9, 0.1]]), [[0, 0, 8, 1 / 1.3]], rtol=1e-6)
    assert BOX.caption([1, -1, 8, 1.1]) == "+1.0, -1.0 px\n+8°\nx1.10"
    with pytest.raises(ValueError, match="^counts must be 4, for tx, ty, rotation, zoom, got"):
        BOX.grid((3, 3, 3))


def test_it_survives_a_configuration():
    config = json.loads(json.dumps(tf.keras.utils.serialize_keras_object(BOX)))
    assert tf.keras.utils.deserialize_keras_object(config) == BOX
    search = WorstOfK(2, BOX)
    twin = WorstOfK.from_config(json.loads(json.dumps(search.get_config())))
    assert twin.warp.axes == search.warp.axes == BOX.axes


@pytest.mark.parametrize("name, xla", [("op", False), ("gather", False), ("gather", True)])
def test_it_warps(name, xla):
    images = np.random.default_rng(0).integers(0, 256, [3, 9, 14, 2]).astype(np.float32)
    parameters = BOX.sample([3, 4], [3, 5]).numpy()
    layer = SpatialWarp(name).along(BOX)
    warped = tf.function(lambda *arguments: layer(*arguments), jit_compile=xla)(images, parameters)
    expected = [[warp(image, row) for row in rows] for image, rows in zip(images, parameters)]
    np.testing.assert_allclose(warped, expected, atol=2e-2)
    with pytest.raises(ValueError, match=r"parameters must be \[batch, 4\] or \[batch, k, 4\]"):
        layer(images, parameters[:, 0, :3])


def test_it_has_a_gradient():
    image = np.random.default_rng(1).uniform(0, 255, [1, 9, 14, 1])
    parameters = np.array([[0.3, -0.4, 5.1, 1.13]])
    layer = SpatialWarp("gather").along(BOX)
    weights = np.random.default_rng(2).normal(size=image.shape)
    with tf.GradientTape() as tape:
        value = tf.constant(parameters)
        tape.watch(value)
        total = tf.reduce_sum(layer(tf.constant(image), value) * weights)
    steps = 1e-6 * np.eye(4)
    ahead, behind = (
        [np.sum(warp(image[0], parameters[0] + sign * step) * weights[0]) for step in steps]
        for sign in (1, -1)
    )
    slopes = (np.array(ahead) - behind) / 2e-6
    np.testing.assert_allclose(tape.gradient(total, value)[0], slopes, rtol=1e-4)


def test_searches_go_along_it(case):
    classifier, images, labels = case
    pixels = tf.constant(images, tf.float32)

    def losses_at(parameters):
        warped = np.stack([warp(*pair) for pair in zip(images, parameters)])
        logits = classifier(warped.astype(np.float32))
        return np.asarray(losses.cross_entropy(labels, logits))

    draws = BOX.sample_batch([1, 2], len(images), [4]).numpy()
    for search, candidates in (
        (WorstOfK(4, BOX), draws),
        (GridSearch(COUNTS, BOX), np.tile(BOX.grid(COUNTS), [len(images), 1, 1])),
    ):
        found = search(classifier, pixels, labels, CROSS_ENTROPY, [1, 2])
        best = np.max([losses_at(column) for column in candidates.swapaxes(0, 1)], axis=0)
        np.testing.assert_allclose(losses_at(found), best, atol=1e-3)
    climb = GradientSearch(3, BOX)
    ends = climb(classifier, pixels, labels, CROSS_ENTROPY, [1, 2]).numpy()
    np.testing.assert_array_equal(ends, BOX.clip(ends))
    starts = BOX.sample_batch([1, 2], len(images)).numpy()
    assert np.mean(ends[:, 3] != starts[:, 3]) > 0.9
    assert losses_at(ends).mean() > losses_at(starts).mean()


def test_training_goes_along_it(case):
    classifier, images, labels = case
    model = defenses.get("wo2_kl").build(tf.keras.models.clone_model(classifier), BOX)
    model.compile(tf.keras.optimizers.SGD(0.01), jit_compile=False)
    logs = model.fit(images, labels, batch_size=len(images), verbose=0).history
    assert np.isfinite(logs["regularizer"][0]) and logs["regularizer"][0] > 0


def test_evaluations_go_along_it(case, evaluator, margins, tmp_path):
    natural = evaluator.natural()
    plain = evaluation.Evaluator(*case).natural()
    np.testing.assert_allclose(natural.margins, plain.margins, atol=1e-4)
    np.testing.assert_array_equal(natural.transformations, np.tile([0, 0, 0, 1], [23, 1]))

    grid = evaluator.grid(COUNTS, natural)
    np.testing.assert_array_equal(grid.right, (margins >= 0).all(axis=1))
    assert 0 < grid.right.sum() < len(margins)
    np.testing.assert_allclose(BOX.spacing(COUNTS), [1, 1, 8, (1.3 - 1 / 1.3) / 2], rtol=1e-6)
    assert grid.passes < grid.exhaustive == margins.size

    whole = evaluator.grid_map(tmp_path / "map", COUNTS)
    np.testing.assert_array_equal(whole.right, grid.right)
    np.testing.assert_allclose(np.load(tmp_path / "map" / "margins.npy"), margins, atol=1e-3)
    np.testing.assert_array_equal(np.load(tmp_path / "map" / "grid.npy"), BOX.grid(COUNTS))

    others = evaluator.random(2), evaluator.worst_of_k(3), evaluator.gradient(2)
    attack = evaluator.attack(grid, 3, 5)
    for outcome in (*others, attack):
        assert outcome.transformations.shape == (23, 4)
        np.testing.assert_array_equal(outcome.transformations, BOX.clip(outcome.transformations))
    assert (attack.margins <= grid.margins).all()


def test_reports_and_figures_show_it(case, evaluator, margins):
    images = case[1]
    grid = evaluator.grid(COUNTS)
    natural = evaluator.natural()
    report = evaluation.Report([natural, grid, evaluator.profile(natural, grid)])
    curve = report.to_dict()["axes"]["zoom"]
    np.testing.assert_allclose(curve["values"], [1 / 1.3, 1, 1.3], rtol=1e-6)
    shares = [
        (margins >= 0)[:, BOX.grid(COUNTS)[:, 3] == value].all(axis=1).sum()
        for value in np.float32(curve["values"])
    ]
    np.testing.assert_allclose(np.array(curve["right"]) * natural.right.sum(), shares)
    assert "zoom up to 1.3 factor" in report.verdict

    parameters = grid.transformations[:2]
    worst = SpatialWarp().along(BOX)(images[:2].astype(np.float32), parameters).numpy()
    captions = [BOX.caption(row) for row in parameters]
    names = ["a", "b"]
    figure = figures.examples(images[:2], worst, captions, names, names, names)
    assert figure.axes[2].get_xlabel().split("\n")[2] == f"x{parameters[0, 3]:.2f}"
    zoom = BOX.axes[3]
    right = np.array([[True, True, False]])
    (axis,) = figures.failures(right, zoom.grid(3), zoom.label).axes
    assert axis.get_xlabel() == "zoom, factor"
