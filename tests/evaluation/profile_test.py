"""Where images break against a plain look at every point of the grid, in NumPy."""

import numpy as np
import pytest

from spatial_keras.evaluation import Evaluator
from tests import evaluation_cases as cases

COUNTS = (3, 3, 5)
POINTS = cases.BOX.grid(COUNTS)


@pytest.fixture(name="case", scope="module")
def make_case():
    """A classifier, images, labels and the margins of all pairs."""
    classifier, images = cases.network(), cases.images()
    labels = cases.labels(classifier, images)
    return classifier, images, labels, cases.margin_map(classifier, images, labels, POINTS)


def expected(margins):
    """Returns which are right as they are, at which sizes they break, and where they are right."""
    wrong = margins < 0
    sizes = np.abs(POINTS / cases.BOX.bounds).max(axis=1)
    natural = ~wrong[:, np.flatnonzero(sizes == 0)[0]]
    smallest = np.where(wrong, sizes, np.inf).min(axis=1)
    along = [
        ~wrong[:, POINTS[:, axis] == value].any(axis=1)
        for axis in range(3)
        for value in np.unique(POINTS[:, axis])
    ]
    return natural, smallest, np.stack(along, axis=1)


@pytest.mark.parametrize("batch_size", [1, 8, 200])
def test_it_agrees_with_all_points(case, batch_size):
    *given, margins = case
    evaluator = Evaluator(*given, transformations=cases.BOX, batch_size=batch_size)
    natural, grid = evaluator.natural(), evaluator.grid(COUNTS)
    calls = []
    found = evaluator.profile(natural, grid, on_progress=lambda *call: calls.append(call))
    right, smallest, along = expected(margins)
    broken = right & np.isfinite(smallest)
    assert 0 < broken.sum() < right.sum()  # a case that tells
    np.testing.assert_array_equal(found.natural, right)
    np.testing.assert_allclose(
        cases.BOX.sizes(found.transformations[broken]), smallest[broken], atol=1e-4
    )
    at = (POINTS[None] == found.transformations[:, None]).all(axis=-1).argmax(axis=1)
    np.testing.assert_allclose(found.margins, margins[np.arange(23), at], atol=1e-4)
    np.testing.assert_array_equal(found.along[right], along[right])
    assert (found.predictions != given[2]).tolist() == (found.margins < 0).tolist()
    assert calls[-1][0] == found.passes < broken.sum() * len(POINTS)


def test_a_share_of_the_images_is_drawn_by_their_places(case):
    *given, _ = case
    evaluator = Evaluator(*given, transformations=cases.BOX)
    whole = evaluator.profile(natural := evaluator.natural(), grid := evaluator.grid(COUNTS))
    part = evaluator.profile(natural, grid, share=0.5)
    assert 0 < part.natural.sum() < whole.natural.sum() and part.passes < whole.passes
    np.testing.assert_array_equal(part.along[part.natural], whole.along[part.natural])
    classifier, images, labels = given
    rows = np.arange(0, 23, 2)
    some = Evaluator(classifier, images[rows], labels[rows], transformations=cases.BOX, places=rows)
    again = some.profile(some.natural(), some.grid(COUNTS), share=0.5)
    np.testing.assert_array_equal(again.natural, part.natural[rows])


def test_what_a_map_has_takes_no_passes(case):
    *given, margins = case
    evaluator = Evaluator(*given, transformations=cases.BOX, batch_size=8)
    natural, grid = evaluator.natural(), evaluator.grid(COUNTS)
    found = evaluator.profile(natural, grid, margins.astype(np.float32))
    again = evaluator.profile(natural, grid)
    assert found.passes == 0
    np.testing.assert_array_equal(found.along, again.along)
    np.testing.assert_array_equal(found.transformations, again.transformations)
