"""The pruned grid and the map against a plain exhaustive evaluation."""

import numpy as np
import pytest
from scipy import special

from spatial_keras.evaluation import grid
from spatial_keras.evaluation.judge import Judge
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from tests import evaluation_cases as cases
from tests import oracles

POINTS = cases.BOX.grid((3, 3, 5))


@pytest.fixture(name="case", scope="module")
def make_case():
    """A classifier, images, labels and the margins of all pairs."""
    classifier, images = cases.network(), cases.images()
    labels = cases.labels(classifier, images)
    return classifier, images, labels, cases.margin_map(classifier, images, labels, POINTS)


def make_judge(case, batch_size=8):
    classifier, images, labels, _ = case
    return Judge(classifier, images, labels, SpatialWarp("op"), batch_size)


def check(found, margins, atol=1e-5):
    """Checks the worst points against the margins of all pairs."""
    standing = (margins >= 0).all(axis=1)
    assert 0 < standing.sum() < len(margins)  # a case that tells
    np.testing.assert_array_equal(found.margins[:, 0] >= 0, standing)
    # Images that stand have tried all points, and the most damaging ones are known.
    smallest = np.sort(margins[standing], axis=1)[:, : found.margins.shape[1]]
    np.testing.assert_allclose(found.margins[standing], smallest, atol=atol)
    at = np.take_along_axis(margins, found.points, axis=1)
    np.testing.assert_allclose(at, found.margins, atol=atol)


@pytest.mark.parametrize("batch_size", [1, 8, 64])
@pytest.mark.parametrize("block", [10**7, 45 * 5])
def test_the_worst_points_are_those_of_the_exhaustive_evaluation(
    case, monkeypatch, batch_size, block
):
    monkeypatch.setattr(grid, "_NUMBERS_IN_MEMORY", block)
    found = grid.worst_points(make_judge(case, batch_size), 23, POINTS)
    check(found, case[3])
    assert (case[3] >= 0).all(axis=1).sum() * 45 <= found.passes < 23 * 45


@pytest.mark.parametrize(
    ("seed", "batch_size", "counts"), [(0, 3, (3, 3, 3)), (1, 7, (2, 2, 4)), (2, 100, (3, 1, 5))]
)
def test_it_agrees_with_numpy_from_the_image_to_the_margin(seed, batch_size, counts):
    """Warps and logits in float64 that share no code with the library, pair by pair."""
    rng = np.random.default_rng(seed)
    classifier, images = cases.network(), rng.integers(0, 256, [12, 12, 12, 1], np.uint8)
    weights, bias = rng.normal(0, 0.1, [144, 3]), rng.normal(0, 0.1, 3)
    classifier.set_weights([weights, bias])
    labels = np.argmax(images.reshape(12, -1) / 255 @ weights + bias, axis=1)
    points = cases.BOX.grid(counts)
    margins = np.empty([12, len(points)])
    for image, point in np.ndindex(margins.shape):
        warped = oracles.canvas_warp(images[image : image + 1], points[point : point + 1], 4)
        logits = warped.reshape(1, -1) / 255 @ weights + bias
        margins[image, point] = cases.margins(logits, labels[image : image + 1])[0]
    assert np.abs(margins).min() > 1e-4  # beyond the rounding of float32
    judge = Judge(classifier, images, labels, SpatialWarp("op"), batch_size)
    check(grid.worst_points(judge, 12, points), margins, 1e-4)


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 2, 2), (1, 1, 4), (5, 1, 3)])
def test_other_grids(case, counts):
    classifier, images, labels, _ = case
    points = cases.BOX.grid(counts)
    margins = cases.margin_map(classifier, images, labels, points)
    found = grid.worst_points(make_judge(case), 23, points)
    check(found, margins)
    assert found.margins.shape == (23, min(5, len(points)))


def test_known_natural_margins_save_their_passes(case):
    natural = case[3][:, (POINTS == 0).all(axis=1)][:, 0].astype(np.float32)
    alone = grid.worst_points(make_judge(case, 1), 23, POINTS)
    after = grid.worst_points(make_judge(case, 1), 23, POINTS, natural)
    check(after, case[3])
    assert after.passes == alone.passes - 23


def test_progress_ends_with_nothing_open(case, monkeypatch):
    monkeypatch.setattr(grid, "_NUMBERS_IN_MEMORY", 45 * 9)
    calls = []
    found = grid.worst_points(
        make_judge(case), 23, POINTS, on_progress=lambda *call: calls.append(call)
    )
    passes, open_, standing = zip(*calls)
    assert passes[-1] == found.passes and open_[-1] == 0
    assert standing[-1] == (found.margins[:, 0] >= 0).sum()
    assert list(passes) == sorted(passes) and list(standing) == sorted(standing, reverse=True)
    totals = [done + left for done, left in zip(passes, open_)]
    assert totals == sorted(totals, reverse=True) and totals[0] <= 23 * 45


class KilledError(Exception):
    pass


@pytest.mark.parametrize("block", [10**7, 45 * 9])
def test_a_killed_evaluation_goes_on(case, monkeypatch, tmp_path, block):
    monkeypatch.setattr(grid, "_NUMBERS_IN_MEMORY", block)
    monkeypatch.setattr(grid, "_SECONDS_BETWEEN_SAVES", -1)
    file = tmp_path / "state.npz"

    whole = grid.worst_points(make_judge(case), 23, POINTS)

    def kill(passes, *_):
        if passes > whole.passes / 2:
            raise KilledError

    with pytest.raises(KilledError):
        grid.worst_points(make_judge(case), 23, POINTS, partial=file, on_progress=kill)
    calls = []
    found = grid.worst_points(
        make_judge(case), 23, POINTS, partial=file, on_progress=lambda *call: calls.append(call)
    )
    check(found, case[3])
    assert calls[0][0] > whole.passes / 2 - 8  # what was done is not done again


def test_the_map_has_every_margin_and_loss(case, tmp_path):
    calls = []
    found = grid.write_map(
        make_judge(case), 23, POINTS, tmp_path / "map", lambda *call: calls.append(call)
    )
    assert {file.name for file in (tmp_path / "map").iterdir()} == {
        "grid.npy", "losses.npy", "margins.npy",
    }  # fmt: skip
    margins, losses = (np.load(tmp_path / "map" / f"{n}.npy") for n in ("margins", "losses"))
    np.testing.assert_allclose(margins, case[3], atol=1e-5)
    np.testing.assert_array_equal(np.load(tmp_path / "map" / "grid.npy"), POINTS)
    classifier, images, labels, _ = case
    for point, found_losses in zip(POINTS, losses.T):
        logits = cases.logits(classifier, images, np.tile(point, [23, 1]))
        expected = special.logsumexp(logits, axis=1) - logits[np.arange(23), labels]
        np.testing.assert_allclose(found_losses, expected, rtol=1e-4, atol=1e-5)
    assert calls[-1] == (23 * 45, 0, 23) and found.passes == 23 * 45
    # Here broken images have tried all points, too.
    np.testing.assert_allclose(found.margins[:, 0], case[3].min(axis=1), atol=1e-5)


def test_a_killed_map_goes_on(case, tmp_path):
    def kill(passes, *_):
        if passes > 500:
            raise KilledError

    with pytest.raises(KilledError):
        grid.write_map(make_judge(case), 23, POINTS, tmp_path / "map", kill)
    assert not (tmp_path / "map").exists()
    calls = []
    grid.write_map(make_judge(case), 23, POINTS, tmp_path / "map", lambda *c: calls.append(c))
    assert calls[0][0] > 100  # what was done is not done again
    grid.write_map(make_judge(case), 23, POINTS, tmp_path / "whole")
    names = [sorted(file.name for file in (tmp_path / one).iterdir()) for one in ("map", "whole")]
    assert names[0] == names[1] and len(names[0]) == 3
    for name in names[0]:
        resumed, whole = (np.load(tmp_path / one / name) for one in ("map", "whole"))
        np.testing.assert_allclose(resumed, whole, atol=1e-6)


def test_memory_is_bounded_by_blocks(case, monkeypatch):
    monkeypatch.setattr(grid, "_NUMBERS_IN_MEMORY", 45 * 9)
    blocks = []
    real = grid.PointOrder
    monkeypatch.setattr(grid, "PointOrder", lambda g, m: blocks.append(len(m)) or real(g, m))
    grid.worst_points(make_judge(case), 23, TransformationSet(1, 1, 8).grid((3, 3, 5)))
    assert blocks == [9, 9, 5]
