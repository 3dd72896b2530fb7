"""Searches, training and evaluation over zoom, tilts and flips, against a loop over all of S.

The oracle warps with SciPy through the inverse homography in float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import GradientSearch, GridSearch, TransformationSet, WorstOfK, evaluation
from spatial_keras.training import defenses, losses
from tests import evaluation_cases as cases
from tests import oracles

BOX = TransformationSet(0, 0, 0, max_zoom=1.05, max_pitch=3, max_yaw=3, flip=True)
COUNTS = (1, 1, 1, 3, 3, 3, 2)
CROSS_ENTROPY = losses.get_objective("ce")


def warp(image, row):
    tx, ty, degrees, zoom, pitch, yaw, flip = np.asarray(row, np.float64)
    parameters = (tx, ty, degrees, zoom, 0, 0, pitch, yaw, 0, flip)
    return oracles.homography_warp(image, oracles.homography(parameters, *image.shape[:2]))


@pytest.fixture(name="case", scope="module")
def make_case():
    classifier, images = cases.network(), cases.images()
    images[::2] = images[::2] // 2 + images[::2, :, ::-1] // 2  # which a flip alone does not break
    return classifier, images, cases.labels(classifier, images)


@pytest.fixture(name="margins_at", scope="module")
def make_margins_at(case):
    classifier, images, labels = case

    def margins_at(parameters):
        warped = np.stack([warp(*pair) for pair in zip(images, parameters)])
        return cases.margins(np.asarray(classifier(warped.astype(np.float32)), float), labels)

    return margins_at


@pytest.fixture(name="margins", scope="module")
def make_margins(case, margins_at):
    """Of every image at every point, [n, points]."""
    number = len(case[1])
    return np.stack([margins_at(np.tile(p, [number, 1])) for p in BOX.grid(COUNTS)], axis=1)


@pytest.fixture(name="evaluator", scope="module")
def make_evaluator(case):
    return evaluation.Evaluator(*case, transformations=BOX)


def test_searches_find_the_worst(case, margins_at):
    classifier, images, labels = case
    pixels, number = tf.constant(images, tf.float32), len(images)

    def losses_at(parameters):
        warped = np.stack([warp(*pair) for pair in zip(images, parameters)])
        return oracles.cross_entropy(labels, classifier(warped.astype(np.float32)))

    for search, candidates in (
        (WorstOfK(4, BOX), BOX.sample_batch([1, 2], number, [4]).numpy()),
        (GridSearch(COUNTS, BOX), np.tile(BOX.grid(COUNTS), [number, 1, 1])),
    ):
        found = search(classifier, pixels, labels, CROSS_ENTROPY, [1, 2])
        best = np.max([losses_at(column) for column in candidates.swapaxes(0, 1)], axis=0)
        np.testing.assert_allclose(losses_at(found), best, atol=1e-3)
    ends = GradientSearch(3, BOX)(classifier, pixels, labels, CROSS_ENTROPY, [1, 2]).numpy()
    starts = BOX.sample_batch([1, 2], number).numpy()
    np.testing.assert_allclose(ends, BOX.clip(ends), atol=1e-6)
    np.testing.assert_array_equal(ends[:, 6], starts[:, 6])  # nothing is between the two flips
    assert np.all(np.mean(ends[:, 3:6] != starts[:, 3:6], axis=0) > 0.8)
    assert losses_at(ends).mean() > losses_at(starts).mean()


@pytest.mark.parametrize("name", ["pgd1_at", "grid_l2_nat"])
def test_defenses_train(case, name):
    classifier, images, labels = case
    options = {"grid_counts": COUNTS, "pgd_step_sizes": (0, 0, 0, 0.1, 2, 2, 0)}
    row = defenses.get(name).with_options(options, BOX)
    model = row.build(tf.keras.models.clone_model(classifier), BOX)
    assert model.search.transformations == BOX and model.search.warp.axes == BOX.axes
    model.compile(tf.keras.optimizers.SGD(0.01), jit_compile=False)
    logs = model.fit(images, labels, batch_size=len(images), verbose=0).history
    assert np.isfinite(logs["loss"][0])


def test_the_grid_is_the_exhaustive_one(case, evaluator, margins, tmp_path):
    natural = evaluator.natural()
    grid = evaluator.grid(COUNTS, natural)
    np.testing.assert_array_equal(grid.right, (margins >= 0).all(axis=1))
    assert 0 < grid.right.sum() < len(margins)
    np.testing.assert_allclose(grid.margins[grid.right], margins.min(axis=1)[grid.right], atol=1e-3)
    assert grid.passes < grid.exhaustive == margins.size

    whole = evaluator.grid_map(tmp_path / "map", COUNTS)
    np.testing.assert_array_equal(whole.right, grid.right)
    np.testing.assert_allclose(np.load(tmp_path / "map" / "margins.npy"), margins, atol=1e-3)

    curves = evaluation.Report([natural, grid, evaluator.profile(natural, grid)]).to_dict()["axes"]
    assert list(curves) == ["zoom", "pitch", "yaw", "flip"]
    for axis, curve in zip(BOX.axes[3:], curves.values()):
        column = BOX.grid(COUNTS)[:, BOX.axes.index(axis)]
        right = [(margins >= 0)[:, column == value].all(axis=1) for value in np.unique(column)]
        shares = np.mean(np.array(right)[:, natural.right], axis=1)
        np.testing.assert_allclose(curve["right"], shares)
    np.testing.assert_allclose(curves["flip"]["values"], [0, 1])


def test_parts_are_those_of_the_whole(case, evaluator):
    classifier, images, labels = case
    places = np.arange(1, len(images), 3)
    part = evaluation.Evaluator(
        classifier, images[places], labels[places], transformations=BOX, places=places
    )
    for of_part, of_all in (
        (part.worst_of_k(3), evaluator.worst_of_k(3)), (part.grid(COUNTS), evaluator.grid(COUNTS)),
    ):  # fmt: skip
        np.testing.assert_array_equal(of_part.right, of_all.right[places])


def test_what_an_outcome_says_is_so(evaluator, margins_at):
    grid = evaluator.grid(COUNTS)
    attack = evaluator.attack(grid, 3, 5)
    draws = evaluator.random(2), evaluator.worst_of_k(3), evaluator.gradient(2)
    for outcome in (*draws, attack):
        found = outcome.transformations
        np.testing.assert_allclose(found, BOX.clip(found), atol=1e-6)
        np.testing.assert_allclose(outcome.margins, margins_at(found), atol=2e-3)
    assert (attack.margins <= grid.margins + 1e-6).all()
    assert np.mean(draws[0].transformations[:, 6]) == pytest.approx(0.5, abs=0.35)


def test_a_grid_too_large_is_asked_for(case):
    huge = TransformationSet(max_zoom=2, max_shear_x=9, max_shear_y=9, max_pitch=9, max_yaw=9)
    evaluator = evaluation.Evaluator(*case, transformations=huge)
    message = (
        "^the grid over tx, .*, yaw has 188,325 points: give its counts, by default "
        "5,5,31,3,3,3,3,3, if you mean them, or fewer; worst_of_k needs no grid"
    )
    with pytest.raises(ValueError, match=message):
        evaluator.grid()
    with pytest.raises(ValueError, match=message):
        GridSearch(transformations=huge)
    assert GridSearch((5, 5, 31, 3, 3, 3, 3, 3), huge).num_candidates == 188_325
    assert evaluator.grid((1, 1, 1, 1, 1, 1, 1, 2)).exhaustive == 46
