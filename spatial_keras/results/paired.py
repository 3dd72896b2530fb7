"""Two evaluations of the same images compared, image by image."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from spatial_keras.configuration import options
from spatial_keras.results import bootstrap
from spatial_keras.support import files, tables

# What accuracies depend on beside classifier, images and S; what is not set has these values.
_SETTINGS = {"fill": "black", "composition": "sequential"}
_OF_MEASURES = {
    "random": ("draws", "seed"),
    "worst_of_k": ("k", "seed"),
    "gradient": ("gradient_steps", "gradient_restarts", "seed"),
    "grid": ("grid_counts",),
    "attack": ("grid_counts", "attack_steps", "attack_refinements", "seed"),
}
_MOST_BYTES = 1 << 30
# Of the fractions in a CSV file.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluated:
    """What an evaluation says of each image.

    Attributes:
      title: whose it is.
      pixels: a hash of images and labels.
      transformations: the set S, in words.
      flags: what else the accuracies depend on, as texts.
      names: of the images.
      right: of each measure whether each image is right, float [n].
    """

    title: str
    pixels: str
    transformations: str
    flags: Mapping[str, str]
    names: Sequence[str]
    right: Mapping[str, np.ndarray]

    def check(self, pixels: str, transformations: str, flags: Mapping[str, str]) -> None:
        """Raises ValueError if it is of other images, another S or other settings than these."""
        if self.pixels != pixels:
            raise ValueError(f"{self.title} is of other images: they cannot be paired.")
        if self.transformations != transformations:
            raise ValueError(
                f"{self.title} is of {self.transformations}, this one of {transformations}."
            )
        names = {*_SETTINGS, *(name for each in self.right for name in _OF_MEASURES.get(each, ()))}
        there, here = ({**_SETTINGS, **_chosen(each, names)} for each in (self.flags, flags))
        different = options.contrast(there, here)
        if different:
            raise ValueError(f"{self.title} was made with other flags ({different}).")


def _chosen(flags: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in flags.items() if name in names}


def read(path: pathlib.Path) -> Evaluated:
    """Returns what an evaluation wrote: its JSON file, and the CSV file beside it.

    Raises:
      ValueError: they cannot be read, or are of a version that did not keep what this needs.
    """
    with files.failures_in_one_line(f"evaluation '{path}' cannot be read"):
        found = json.loads(files.regular(path, _MOST_BYTES).read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not isinstance(found.get("measures"), dict):
            raise ValueError("it is none that evaluate wrote")
        check_images(found)
        return of_rows(path, found, read_rows(path, _MOST_BYTES))


def check_images(found: Mapping[str, Any]) -> None:
    """Raises ValueError if what an evaluation wrote does not say of which images it is."""
    if "pixels" not in found:
        raise ValueError("it does not say of which images it is: evaluate again")


def read_rows(path: pathlib.Path, most_bytes: int = files.MOST_TEXT) -> list[dict[str, str]]:
    """Returns the lines of the CSV file beside an evaluation's JSON file, by the images' numbers.

    Args:
      path: the JSON file.
      most_bytes: that the CSV file may have.
    """
    csv = files.regular(path.with_suffix(".csv"), most_bytes)
    rows = tables.from_csv(csv.read_text(encoding="utf-8"))
    return sorted(rows, key=lambda row: int(row["image"]))


def of_rows(
    path: pathlib.Path, found: Mapping[str, Any], rows: Sequence[Mapping[str, str]]
) -> Evaluated:
    """Returns what an evaluation says of each image, once its files are read.

    Args:
      path: its JSON file.
      found: what is in that.
      rows: the lines of the CSV file.

    Raises:
      ValueError, TypeError: they hold what cannot be.
    """
    right = {
        name: np.array([float(row[f"{name}_right"]) for row in rows]) for name in found["measures"]
    }
    if not all(((values >= 0) & (values <= 1)).all() for values in right.values()):
        raise ValueError("its CSV file has accuracies that cannot be")
    texts = (found["pixels"], found["transformations"])
    if not all(isinstance(text, str) for text in (*texts, *found["flags"].values())):
        raise TypeError("it has values that are no texts")
    return Evaluated(f"'{path}'", *texts, found["flags"], [row["name"] for row in rows], right)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A measure of two classifiers on the same images.

    Attributes:
      measure: its name.
      before: the accuracy of the other one, in [0, 1].
      after: that of this one.
      low: the lower end of the 95% interval of their difference, by bootstrap over the images.
      high: the upper end.
      lost: the names of the images that only the other one has right.
      gained: of those that only this one has right.
      p: of McNemar's exact test; None for fractions of draws.
    """

    measure: str
    before: float
    after: float
    low: float
    high: float
    lost: list[str]
    gained: list[str]
    p: float | None

    @property
    def text(self) -> str:
        """In one line, e.g. "grid: 10.6% -> 91.9%, +81.4 (77.2 to 85.3) points; loses 2, ..."."""
        before, after = (tables.rounded(100 * each, 1) for each in (self.before, self.after))
        low, high = (tables.rounded(100 * each, 1) for each in (self.low, self.high))
        by = tables.rounded(100 * (self.after - self.before), 1, "+")
        counts = f"loses {len(self.lost)}, gains {len(self.gained)} images"
        of_test = "" if self.p is None else f" (p = {self.p:.2g})"
        change = f"{before}% -> {after}%, {by} ({low} to {high}) points"
        return f"{self.measure}: {change}; {counts}{of_test}"

    def is_worse(self, tolerance: float) -> bool:
        """Returns whether accuracy fell by more than that, in [0, 1]."""
        return self.before - self.after > tolerance + _ROUNDING

    def to_dict(self) -> dict[str, Any]:
        """Returns all, for a JSON file."""
        return dataclasses.asdict(self)


def compare(before: Evaluated, right: Mapping[str, np.ndarray]) -> list[Difference]:
    """Compares two classifiers by the measures that both have.

    Args:
      before: what the other one did.
      right: of each measure of this one whether each image is right, [n].
    """
    found = []
    for name in (name for name in right if name in before.right):
        pair = np.stack([before.right[name], right[name].astype(float)], axis=1)
        change = np.subtract(*bootstrap.resampled(pair).T[::-1])
        lost, gained = (
            np.flatnonzero(pair[:, 0] > pair[:, 1]),
            np.flatnonzero(pair[:, 0] < pair[:, 1]),
        )
        p = None
        if np.isin(pair, (0, 1)).all():
            number = len(lost) + len(gained)
            p = float(stats.binomtest(len(lost), number).pvalue) if number else 1.0
        only_before, only_after = ([before.names[row] for row in rows] for rows in (lost, gained))
        low, high = map(float, np.percentile(change, (2.5, 97.5)))
        first, second = map(float, pair.mean(axis=0))
        found.append(Difference(name, first, second, low, high, only_before, only_after, p))
    return found
