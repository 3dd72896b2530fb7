"""The attack finds what lies between the grid's points, and stays within its budget and S."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.evaluation.attack import Attack
from spatial_keras.evaluation.evaluator import Evaluator
from spatial_keras.evaluation.judge import Judge
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from tests import evaluation_cases as cases

SPOT = (0.8, -0.6)


def weak_between(images, training=False):
    """Logits of a classifier that is wrong only where the blob is shifted by about SPOT."""
    y, x = np.mgrid[:16, :16].astype(np.float32)
    mass = tf.maximum(tf.reduce_sum(images[..., 0], axis=[1, 2]), 1.0)
    center_x = tf.reduce_sum(images[..., 0] * x, axis=[1, 2]) / mass - 7.5
    center_y = tf.reduce_sum(images[..., 0] * y, axis=[1, 2]) / mass - 7.5
    margin = (center_x - SPOT[0]) ** 2 + (center_y - SPOT[1]) ** 2 - 0.1**2
    return tf.stack([margin, tf.zeros_like(margin)], axis=1)


def blobs(number):
    y, x = np.mgrid[:16, :16]
    blob = 255 * np.exp(-((x - 7.5) ** 2 + (y - 7.5) ** 2) / 4)
    return np.tile(blob[None, ..., None], [number, 1, 1, 1]).astype(np.float32)


@pytest.fixture(name="evaluator")
def make_evaluator():
    box = TransformationSet(2, 2, 20)
    return Evaluator(weak_between, blobs(3), np.zeros(3, int), transformations=box, batch_size=8)


@pytest.mark.parametrize(("steps", "refinements"), [(10, 0), (1, 60), (10, 50)])
def test_it_finds_the_weak_spot_that_the_grid_misses(evaluator, steps, refinements):
    outcome = evaluator.grid((5, 5, 3))
    assert outcome.right.all()
    attacked = evaluator.attack(outcome, steps, refinements)
    assert not attacked.right.any()
    assert (attacked.margins < 0).all()
    np.testing.assert_allclose(attacked.transformations[:, :2], 3 * [SPOT], atol=0.11)
    assert outcome.right.all()  # untouched


def attack(steps, refinements, seed=0):
    """Attacks a small network's images from random starts; returns what came of it."""
    classifier, images = cases.network(), cases.images()
    labels = np.argmax(classifier(images.astype(np.float32)), axis=-1)
    judge = Judge(classifier, images, labels, SpatialWarp("op"), 16)
    starts = cases.BOX.sample([1, 0], [23, 3]).numpy()
    margins = judge(np.arange(23), starts[:, 0]).margins
    standing = np.flatnonzero(margins >= 0)
    attacker = Attack(judge, cases.BOX, np.array([0.5, 0.5, 4], np.float32), np.arange(23))
    worst, found = attacker(standing, starts[standing], margins[standing], steps, refinements, seed)
    return judge, standing, margins[standing], worst, found, attacker.passes


@pytest.mark.parametrize(("steps", "refinements"), [(1, 0), (3, 0), (2, 5)])
def test_margins_fall_within_the_box_and_the_budget(steps, refinements):
    judge, standing, before, worst, found, passes = attack(steps, refinements)
    assert (found <= before).all() and (found < before).mean() > 0.5
    assert (np.abs(worst) <= cases.BOX.bounds).all()
    np.testing.assert_allclose(judge(standing, worst).margins, found, atol=1e-3)
    assert 0 < passes <= len(standing) * (3 * (steps + 1) + refinements)


def test_the_same_seed_gives_the_same_attack():
    first, second, other = attack(1, 5), attack(1, 5), attack(1, 5, seed=1)
    np.testing.assert_array_equal(first[3], second[3])
    assert (first[3] != other[3]).any()


def test_a_gradient_that_is_nan_moves_nothing():
    def undefined(images, training=False):
        # sqrt has no gradient at 0.
        zero = tf.sqrt(tf.reduce_sum(images, axis=[1, 2, 3]) * 0)
        return tf.stack([zero + 1, zero], axis=1)

    evaluator = Evaluator(undefined, blobs(2), np.zeros(2, int), batch_size=4)
    attacked = evaluator.attack(evaluator.grid((3, 3, 3)), 3, 3)
    assert attacked.right.all() and np.isfinite(attacked.transformations).all()


def test_nothing_stands_nothing_to_do(evaluator):
    wrong = Evaluator(weak_between, blobs(3), np.ones(3, int), batch_size=8)
    attacked = wrong.attack(wrong.grid((3, 3, 3)), 2, 2)
    assert attacked.passes == 0 and not attacked.right.any()


def test_nearest_pixels_are_judged_as_they_are():
    classifier, images = cases.network(), cases.images()
    labels = np.argmax(classifier(images.astype(np.float32)), axis=-1)
    warp = SpatialWarp(interpolation="nearest")
    box = TransformationSet(0.7, 0.7, 6, max_zoom=1.1)
    evaluator = Evaluator(classifier, images, labels, transformations=box, warp=warp)
    grid = evaluator.grid((1, 1, 3, 1))
    found = evaluator.attack(grid, 5, 0)
    assert 0 < found.right.sum() < grid.right.sum()
    shown = warp.along(box)(images.astype(np.float32), found.transformations)
    margins = cases.margins(np.asarray(classifier(shown), np.float64), labels)
    np.testing.assert_allclose(found.margins, margins, atol=1e-4)
    assert 11 * 5 * grid.right.sum() >= found.passes > 10 * grid.right.sum()
