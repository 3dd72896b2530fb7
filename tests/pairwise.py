"""Cases in which every two values of different factors meet, instead of every combination."""

from __future__ import annotations

import itertools

import pytest


def pairwise(*, indirect: tuple[str, ...] = (), **factors):
    """Returns a decorator like stacked pytest.mark.parametrize, with only as many cases.

    Factors are names with their values, or names with commas between with tuples of values.
    """
    rows = list(itertools.product(*(range(len(values)) for values in factors.values())))
    met = {row: set(itertools.combinations(enumerate(row), 2)) for row in rows}
    missing, cases = set().union(*met.values()), []
    while missing:
        best = max(rows, key=lambda row: len(met[row] & missing))
        missing -= met[best]
        cases.append(best)
    names = [name.strip() for factor in factors for name in factor.split(",")]
    return pytest.mark.parametrize(
        names, [flat(factors, case) for case in sorted(cases)], indirect=indirect
    )


def flat(factors, case):
    """The values of a case, a list with one for each name."""
    found = []
    for (names, values), index in zip(factors.items(), case):
        value = list(values)[index]
        found += value if "," in names else [value]
    return found
