"""What all searches share."""

from __future__ import annotations

import pytest

from spatial_keras import (
    GridSearch,
    SpatialWarp,
    TransformationSet,
    WorstOfK,
)
from spatial_keras.training.search import Search
from tests.search_oracles import run

SMALL = TransformationSet(3, 2, 30)


def test_a_search_of_nothing_is_refused(classifier, batch):
    with pytest.raises(NotImplementedError, match="^Search has neither number nor num_candidates"):
        _ = Search().searches
    with pytest.raises(NotImplementedError, match="^Search has neither candidates nor __call__"):
        run(Search(), classifier, batch)


def test_another_search_of_the_same_kind():
    search = WorstOfK(5, SMALL, SpatialWarp("op"), candidates_per_pass=2)
    other = search.replace(k=7, transformations=None)
    assert (other.k, other.candidates_per_pass, other.warp) == (7, 2, search.warp)
    assert other.transformations == TransformationSet(3, 3, 30) != search.transformations


def test_searches_know_how_the_paper_names_them_and_whether_they_search():
    searches = (WorstOfK(1), WorstOfK(20), GridSearch((1, 2, 3)), GridSearch((1, 1, 1)))
    assert [each.in_paper for each in searches] == ["Wo-1", "Wo-20", "grid", "grid"]
    assert [each.num_candidates for each in searches] == [1, 20, 6, 1]
    assert [each.searches for each in searches] == [False, True, True, False]
