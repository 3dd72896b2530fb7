"""The order of points: which come first, and Gaussian processes against scikit-learn."""

import numpy as np
import pytest
from sklearn import gaussian_process

from spatial_keras.evaluation.point_order import PointOrder
from spatial_keras.geometry.transformations import TransformationSet

GRID = TransformationSet(3, 3, 30).grid((3, 3, 5))


def unknown(images, grid=GRID):
    return np.full([images, len(grid)], np.nan, np.float32)


def run(order, margins, pairs):
    """Judges with the given margins until nothing is open; returns all pairs in order."""
    seen = []
    images, points = order.next(pairs)
    while len(images):
        seen += list(zip(images.tolist(), points.tolist()))
        order.record(images, points, margins[images, points])
        images, points = order.next(pairs)
    return seen


def random_margins(images, grid=GRID, broken=0.02):
    rng = np.random.default_rng(0)
    margins = rng.uniform(0.1, 3, [images, len(grid)]).astype(np.float32)
    margins[rng.uniform(size=margins.shape) < broken] *= -1
    return margins


@pytest.mark.parametrize("pairs", [1, 7, 64, 1000])
def test_standing_images_try_every_point_once_and_no_pair_comes_twice(pairs):
    margins = random_margins(20)
    order = PointOrder(GRID, unknown(20))
    seen = run(order, margins, pairs)
    assert len(set(seen)) == len(seen)
    standing = (margins >= 0).all(axis=1)
    assert 0 < standing.sum() < 20  # a case that tells
    np.testing.assert_array_equal(order.standing, standing)
    counts = np.bincount([image for image, _ in seen], minlength=20)
    assert (counts[standing] == len(GRID)).all()
    assert order.open == 0
    tried = ~np.isnan(order.margins)
    np.testing.assert_array_equal(order.margins[tried], margins[tried])


def test_broken_images_do_not_come_again():
    margins = random_margins(20, broken=0.3)
    seen = run(PointOrder(GRID, unknown(20)), margins, 4)
    for image in range(20):
        tried = [margins[pair] for pair in seen if pair[0] == image]
        # Those of the batch that broke it may follow.
        broken = [i for i, margin in enumerate(tried) if margin < 0]
        assert not broken or len(tried) - broken[0] <= 4


@pytest.mark.parametrize("pairs", [1, 7, 64, 1000])
def test_what_is_known_of_an_image_does_not_depend_on_the_others(pairs):
    """Nor on the size of the batches: after its first wrong answer it is asked nothing."""
    margins = random_margins(20, broken=0.01)
    together = PointOrder(GRID, unknown(20))
    run(together, margins, pairs)
    assert 0 < together.standing.sum() < 20
    for image in range(20):
        alone = PointOrder(GRID, unknown(1))
        seen = run(alone, margins[image : image + 1], 1)
        np.testing.assert_array_equal(together.margins[image], alone.margins[0])
        assert (together.margins[image] < 0).sum() == (not together.standing[image])
        assert len(seen) == (~np.isnan(alone.margins)).sum()


@pytest.mark.parametrize("pairs", [1, 5, 20, 33, 64, 1000])
def test_batches_are_full_once_images_have_learned(pairs):
    """Before, while one of them has tried less than 32 points, each image tries one at a time."""
    order = PointOrder(GRID, unknown(20))
    margins = random_margins(20)
    while order.open:
        tried = (~np.isnan(order.margins)).sum(axis=1)[order.standing]
        available = order.open if tried.min() >= 32 else len(tried)
        images, points = order.next(pairs)
        assert len(images) == min(pairs, available)
        order.record(images, points, margins[images, points])
    assert not len(order.next(pairs)[0])


def test_the_identity_comes_first_and_then_the_farthest_points():
    order = PointOrder(GRID, unknown(1))
    margins = random_margins(1, broken=0)
    seen = [point for _, point in run(order, margins, 1)][:9]
    assert not GRID[seen[0]].any()
    corners = {tuple(point) for point in GRID[seen[1:]]}
    assert corners == {(x, y, r) for x in (-3, 3) for y in (-3, 3) for r in (-30, 30)}


def test_known_margins_are_not_asked_for_again():
    margins = random_margins(6, broken=0)
    known = unknown(6)
    known[:, 3] = margins[:, 3]
    known[2, 5] = -1  # broken before it begins
    order = PointOrder(GRID, known)
    assert order.standing.tolist() == [True, True, False, True, True, True]
    assert order.open == 5 * (len(GRID) - 1)
    seen = run(order, margins, 4)
    assert not [pair for pair in seen if pair[1] == 3 or pair[0] == 2]


@pytest.mark.parametrize("counts", [(10,), (9, 12, 30), (32, 32)])
def test_the_points_come_in_the_order_of_their_bounds(counts):
    """Mean minus two deviations, by scikit-learn's regressor, on images with so many margins."""
    rng = np.random.default_rng(1)
    order = PointOrder(GRID, unknown(len(counts)))
    unit = GRID / [3, 3, 30]
    pairs = [
        (image, point, rng.normal(1.5, 0.4))
        for image, count in enumerate(counts)
        for point in rng.permutation(len(GRID))[:count]
    ]
    images, points, values = (np.array(column) for column in zip(*pairs))
    values = np.abs(values).astype(np.float32)
    order.record(images, points, values)
    chosen_images, chosen = order.next(len(counts) * len(GRID))
    kernel = gaussian_process.kernels.RBF(0.8)
    for image in range(len(counts)):
        mine = images == image
        tried, seen = points[mine], values[mine]
        process = gaussian_process.GaussianProcessRegressor(kernel, alpha=1e-2, optimizer=None)
        process.fit(unit[tried], seen - seen.mean())
        mean, deviation = process.predict(unit, return_std=True)
        bound = mean - 2 * seen.std() * deviation
        bound[tried] = np.inf
        ranked = chosen[chosen_images == image]
        assert len(ranked) == (1 if min(counts) < 32 else len(GRID) - 32)
        np.testing.assert_allclose(bound[ranked], np.sort(bound)[: len(ranked)], atol=1e-4)
        assert np.ptp(bound[np.isfinite(bound)]) > 0.1  # an order that tells


def test_a_weak_spot_is_found_sooner_than_by_distance():
    """Margins that fall towards a point in the middle of a side."""
    grid = TransformationSet(3, 3, 30).grid((5, 5, 31))
    unit = grid / [3, 3, 30]
    distance = np.linalg.norm(unit - [0.5, -0.5, 0.4], axis=1)
    margins = (np.minimum(distance, 1.5) - 0.2).astype(np.float32)[None]
    seen = run(PointOrder(grid, unknown(1, grid)), margins, 1)
    farthest = np.argsort(-np.sum(unit**2, axis=1), kind="stable")
    plain = np.flatnonzero(margins[0, farthest] < 0)[0]
    assert len(seen) < 40 < plain


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 1, 7), (3, 1, 1), (2, 2, 2)])
def test_small_grids(counts):
    grid = TransformationSet(3, 3, 30).grid(counts)
    margins = random_margins(5, grid, broken=0)
    seen = run(PointOrder(grid, unknown(5, grid)), margins, 3)
    assert sorted(seen) == [(image, point) for image in range(5) for point in range(len(grid))]


@pytest.mark.parametrize("largest", [0.0, 1e-30, 1e30, np.finfo(np.float32).max])
def test_no_margin_hides_a_point(largest):
    """Whatever the margins are, a standing image tries every point, and a broken one breaks."""
    margins = random_margins(6, broken=0) / 3 * np.float32(largest)
    margins[0, 40] = -1
    order = PointOrder(GRID, unknown(6))
    with np.errstate(all="raise", under="ignore"):
        seen = run(order, margins, 5)
    assert order.standing.tolist() == [False] + 5 * [True] and order.open == 0
    assert len({pair for pair in seen if pair[0]}) == 5 * len(GRID)
