"""PointOrder: which point of the grid each image should try next."""

from __future__ import annotations

import numpy as np

# Distances are measured with every bound scaled to 1.
_LENGTH = 0.8
_NOISE = 1e-2
_DEVIATIONS = 2.0
_FIRST_POINTS = 8
# Later observations change the order too little to be worth computing it anew.
_OBSERVATIONS = 32


class PointOrder:
    """Orders the points of a grid for each image, the likeliest to break it first.

    All images begin with the identity and the points farthest from it. From then on an image's
    margins so far are interpolated over the grid by a Gaussian process, and the next point is the
    one whose margin may be the smallest (mean minus two standard deviations). The order costs
    little and only decides how soon an image breaks, never whether it does. It depends on the
    image's own margins alone, not on what other images there are.

    Args:
      grid: transformations less the identity, float32 [points, axes].
      margins: the margins known already, float32 [images, points], NaN where there is none; it is
        kept up to date.

    Attributes:
      margins: as given, with all that was recorded.
      standing: bool [images]: not broken at any point so far.
    """

    def __init__(self, grid: np.ndarray, margins: np.ndarray) -> None:
        self.margins = margins
        self.standing = ~(margins < 0).any(axis=1)
        scale = np.abs(grid).max(axis=0)
        self._points = (grid / np.where(scale > 0, scale, 1)).astype(np.float32)
        distance = np.sum(self._points**2, axis=1)
        # The identity's margin is known from natural accuracy or worth knowing: it comes first.
        start = np.where(distance == 0, -np.inf, -distance).astype(np.float32)
        self._scores = np.tile(start, [len(margins), 1])
        known = ~np.isnan(margins)
        self._scores[known] = np.inf
        self._tried = known.sum(axis=1)
        self._history = np.zeros([len(margins), _OBSERVATIONS], np.int32)
        for image in np.flatnonzero(self._tried):
            points = np.flatnonzero(known[image])[:_OBSERVATIONS]
            self._history[image, : len(points)] = points

    @property
    def open(self) -> int:
        """How many pairs are still to be judged, should no further image break."""
        return int(np.sum(self.margins.shape[1] - self._tried[self.standing]))

    def next(self, pairs: int) -> tuple[np.ndarray, np.ndarray]:
        """Chooses pairs of images that stand and points that they have not tried.

        Args:
          pairs: how many at most.

        Returns:
          Images and points, int [pairs] each; fewer where fewer are open, or where fewer images
          than that stand and have tried less than 32 points: these try one at a time.
        """
        images = np.flatnonzero(self.standing & (self._tried < self.margins.shape[1]))
        images = images[np.argsort(self._tried[images], kind="stable")][:pairs]
        if not len(images):
            return images, images
        # While an image learns, its next point waits for the margin at this one.
        learning = self._tried[images[0]] < _OBSERVATIONS
        each = 1 if learning else min(-(-pairs // len(images)), self.margins.shape[1])
        scores, points = _smallest(self._scores[images], each)
        untried = scores < np.inf
        # All first choices before all second ones.
        chosen = np.argwhere(untried.T)[:pairs]
        return images[chosen[:, 1]], points[chosen[:, 1], chosen[:, 0]]

    def record(self, images: np.ndarray, points: np.ndarray, margins: np.ndarray) -> None:
        """Takes note of margins, float [pairs], and orders the rest of the points anew.

        Those of an image after the first that breaks it are passed over.
        """
        for image, point, margin in zip(images, points, margins):
            if not self.standing[image]:
                continue
            self.margins[image, point] = margin
            self._scores[image, point] = np.inf
            self.standing[image] = margin >= 0
            if self._tried[image] < _OBSERVATIONS:
                self._history[image, self._tried[image]] = point
            self._tried[image] += 1
        learning = np.unique(images[self._tried[images] <= _OBSERVATIONS])
        learning = learning[self.standing[learning] & (self._tried[learning] > _FIRST_POINTS)]
        for number in np.unique(self._tried[learning]):
            self._order(learning[self._tried[learning] == number], number)

    def _order(self, images: np.ndarray, number: int) -> None:
        """Scores points by the smallest margin that they may have, of images that tried so many."""
        history = self._history[images, :number]
        # The order within an image does not change when its margins are standardized, and then
        # no margin is too large to compute with.
        values = self.margins[images[:, None], history].astype(np.float64)
        values -= values.mean(axis=1, keepdims=True)
        deviation = values.std(axis=1, keepdims=True)
        values = (values / np.where(deviation > 0, deviation, 1)).astype(np.float32)

        seen = self._points[history]
        to_all, among = _kernel(seen, self._points), _kernel(seen, seen)
        among[:, range(number), range(number)] += _NOISE
        weights = np.linalg.inv(among) @ to_all
        expected = np.einsum("it,itp->ip", values, weights)
        variance = np.maximum(1 - np.einsum("itp,itp->ip", to_all, weights), 0)
        scores = expected - _DEVIATIONS * np.sqrt(variance)
        self._scores[images] = np.where(np.isnan(self.margins[images]), scores, np.inf)


def _smallest(values: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest values of each row, ascending, and where they are."""
    places = np.sort(np.argpartition(values, number - 1, axis=1)[:, :number], axis=1)
    values = np.take_along_axis(values, places, axis=1)
    order = np.argsort(values, axis=1, kind="stable")  # ties by place, however many are asked for
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(places, order, axis=1)


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns exp(-distance^2 / 2 length^2) between points [..., n, 3] and [..., m, 3]."""
    products = first @ np.swapaxes(second, -1, -2)
    squares = np.sum(first**2, -1)[..., :, None] + np.sum(second**2, -1)[..., None, :]
    return np.exp((2 * products - squares) / (2 * _LENGTH**2))
