"""The paired bootstrap, against a loop that draws images."""

import numpy as np
import pytest

from spatial_keras.results import bootstrap
from spatial_keras.support import tables
from tests.made_results import results, write


@pytest.fixture(name="right")
def make_right():
    """Of 400 images whether two runs are right: natural, grid, natural, grid."""
    rng = np.random.default_rng(0)
    hardness = rng.uniform(size=400)
    found = [hardness + rng.normal(0, 0.1, 400) < bound for bound in (0.9, 0.5, 0.88, 0.6)]
    found[1] &= found[0]
    found[3] &= found[2]
    return np.stack(found, axis=1)


def test_resamples_are_those_of_a_loop_over_images(right):
    rng = np.random.default_rng(1)
    expected = np.array([right[rng.integers(0, 400, 400)].mean(axis=0) for _ in range(4000)])
    found = bootstrap.resampled(right, 4000, seed=2)
    assert found.shape == (4000, 4)
    # Of the mean and of the spread over 4,000 draws, five standard errors.
    spread = expected.std(axis=0)
    np.testing.assert_allclose(found.mean(axis=0), right.mean(axis=0), atol=5 * spread.max() / 63)
    np.testing.assert_allclose(found.std(axis=0), spread, rtol=5 / (2 * 4000) ** 0.5)
    # The columns vary together, as they are of the same images.
    np.testing.assert_allclose(np.corrcoef(found.T), np.corrcoef(expected.T), atol=0.1)
    np.testing.assert_allclose(np.corrcoef(found.T), np.corrcoef(right.T), atol=0.1)


def test_the_seed_decides_the_draws(right):
    first, same, other = (bootstrap.resampled(right, 10, seed) for seed in (0, 0, 1))
    assert (first == same).all() and (first != other).any()


def evaluated(folder, right, labels=None, seed=0):
    """Makes a run with an evaluation in its folder."""
    natural, grid = right.mean(axis=0)
    found = results("std", seed, grid, natural, images=len(right))
    write(folder, found)
    labels = np.arange(len(right)) % 10 if labels is None else labels
    rows = [[i, label, *map(float, row)] for i, (label, row) in enumerate(zip(labels, right))]
    text = tables.to_csv(["image", "label", "natural_right", "grid_right"], rows)
    (folder / "evaluation.csv").write_text(text)
    return folder, found


def test_runs_are_resampled_together(tmp_path, right):
    runs = [evaluated(tmp_path / "a", right[:, :2]), evaluated(tmp_path / "b", right[:, 2:])]
    found = bootstrap.accuracies(runs)
    assert found.shape == (2, 10_000, 2)
    np.testing.assert_allclose(found.mean(axis=1), 100 * right.mean(axis=0).reshape(2, 2), atol=0.2)
    same = bootstrap.accuracies([runs[0], runs[0]])
    np.testing.assert_array_equal(same[0], same[1])


def test_only_evaluations_of_the_same_images_are_resampled(tmp_path, right):
    first = evaluated(tmp_path / "a", right[:, :2])
    others = {
        "fewer": evaluated(tmp_path / "fewer", right[:300, 2:]),
        "others": evaluated(tmp_path / "others", right[:, 2:], np.zeros(400, int)),
        "none": evaluated(tmp_path / "none", right[:, 2:]),
        "damaged": evaluated(tmp_path / "damaged", right[:, 2:]),
        "empty": evaluated(tmp_path / "empty", right[:, 2:]),
        "drawn": evaluated(tmp_path / "drawn", right[:, 2:] / 2),
    }
    (tmp_path / "none" / "evaluation.csv").unlink()
    (tmp_path / "damaged" / "evaluation.csv").write_text("image,label\n0,x\n")
    (tmp_path / "empty" / "evaluation.csv").write_text("label,natural_right,grid_right\n")
    for name, other in others.items():
        assert bootstrap.accuracies([first, other]) is None, name


def test_an_evaluation_that_found_something_else_is_not_resampled(tmp_path, right):
    folder, found = evaluated(tmp_path / "a", right[:, :2])
    other = results("std", grid=found.accuracies.grid - 0.01, natural=found.accuracies.natural)
    assert bootstrap.accuracies([(folder, other)] * 2) is None
