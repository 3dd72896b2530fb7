"""Where within S images break: the smallest transformations, and which values of each axis do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatial_keras.evaluation.judge import Judge
from spatial_keras.evaluation.outcome import GridOutcome, Outcome
from spatial_keras.support import validation

# Called with (passes done, passes open at most).
OnProgress = Callable[[int, int], None]
# Images are taken in blocks of so many batches, of which the last images fill the batches alone.
_BATCHES = 4


class Search:
    """Decides of images that break which is the smallest point that breaks them, and where else.

    An image is *right at a value* of an axis if it is at all points of the grid that have it. First
    points are tried in the order of their size until one breaks the image; then, of those whose
    values are not all known to be wrong, the largest ones first. What is not tried then cannot
    change the answer, which is that of all points.

    Args:
      judge: judges pairs.
      points: the grid, float32 [points, axes].
      sizes: of the points, float [points].
      on_progress: called after each pass.

    Attributes:
      passes: how many images went through the network.
      values: the number of values of all axes.
    """

    def __init__(
        self,
        judge: Judge,
        points: np.ndarray,
        sizes: np.ndarray,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._judge, self._points, self._sizes = judge, points, sizes
        self._on_progress, self.passes = on_progress, 0
        self._value_of, self.values = _values(points)
        self._rising = np.argsort(sizes, kind="stable")
        # Of points of one size those that are far out along several axes.
        offsets = np.abs(points - points.mean(axis=0))
        self._urgency = sizes + 0.1 * (offsets / np.maximum(offsets.max(axis=0), 1e-6)).mean(axis=1)

    def of(
        self,
        natural: Outcome,
        grid: GridOutcome,
        margins: np.ndarray | None,
        looked_at: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Searches where the images break that are right as they are.

        Args:
          natural: the outcome on the images as they are.
          grid: that on the grid.
          margins: of all images at all points, [n, points], if they are known.
          looked_at: which images to search, bool [n].

        Returns:
          Of all images the smallest transformation that breaks them, or the identity, float32
          [n, axes], the margin there, float32 [n], and at which values they are right, bool
          [n, values].
        """
        numbers = {point.tobytes(): number for number, point in enumerate(self._points)}

        def known(images: np.ndarray) -> np.ndarray:
            if margins is not None:
                return margins[images]
            found = np.full([len(images), len(self._points)], np.nan, np.float32)
            for row, image in enumerate(images):
                found[row, numbers[grid.transformations[image].tobytes()]] = grid.margins[image]
            return found

        images = np.flatnonzero(natural.right & ~grid.right & looked_at)
        worst, at_worst = natural.transformations.copy(), natural.margins.copy()
        along = np.tile(grid.right[:, None], [1, self.values])
        smallest, at_worst[images], along[images] = self(images, known)
        worst[images] = self._points[smallest]
        return worst, at_worst, along

    def __call__(
        self, images: np.ndarray, margins: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Searches.

        Args:
          images: numbers of images that some point breaks, int [m].
          margins: given numbers of images [k] it returns those known, float32 [k, points], else
            NaN, and at least one below 0 in each row.

        Returns:
          The smallest points, int [m], the margins there, float32 [m], and at which values the
          images are right, bool [m, values].
        """
        number = _BATCHES * self._judge.batch_size
        found, self._later = [], len(images) * len(self._points)
        for start in range(0, len(images), number):
            block = images[start : start + number]
            self._later -= len(block) * len(self._points)
            found.append(self._block(block, np.array(margins(block), np.float32)))
        none = np.zeros(0, int), np.zeros(0, np.float32), np.zeros([0, self.values], bool)
        points, smallest, right = (np.concatenate(part) for part in zip(none, *found))
        return points, smallest, right

    def _block(
        self, images: np.ndarray, margins: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._rise(images, margins)
        while True:
            wrong = self._wrong_values(margins)
            needed = np.isnan(margins) & ~wrong[:, self._value_of].all(axis=-1)
            rows = np.flatnonzero(needed.any(axis=1))
            if not len(rows):
                break
            urgency = np.where(needed[rows], self._urgency, -1)
            each = min(max(self._judge.batch_size // len(rows), 1), urgency.shape[1])
            chosen = np.argsort(-urgency, axis=1, kind="stable")[:, :each]
            there = np.take_along_axis(needed[rows], chosen, axis=1)
            self._try(images, margins, np.repeat(rows, each)[there.ravel()], chosen[there])
        sizes = np.where(margins < 0, self._sizes, np.inf)
        smallest = sizes.argmin(axis=1)
        return smallest, margins[np.arange(len(images)), smallest], ~wrong

    def _rise(self, images: np.ndarray, margins: np.ndarray) -> None:
        """Tries points in the order of their size, until one breaks the image."""
        start, open_ = 0, np.arange(len(images))
        while len(open_):
            each = max(self._judge.batch_size // len(open_), 1)
            points = self._rising[start : start + each]
            rows, columns = np.nonzero(np.isnan(margins[np.ix_(open_, points)]))
            if len(rows):
                self._try(images, margins, open_[rows], points[columns])
            open_ = open_[~(margins[np.ix_(open_, points)] < 0).any(axis=1)]
            start += each

    def _try(
        self, images: np.ndarray, margins: np.ndarray, rows: np.ndarray, points: np.ndarray
    ) -> None:
        margins[rows, points] = self._judge(images[rows], self._points[points]).margins
        self.passes += len(rows)
        if self._on_progress:
            self._on_progress(self.passes, int(np.isnan(margins).sum()) + self._later)

    def _wrong_values(self, margins: np.ndarray) -> np.ndarray:
        """Returns at which values some point is known to break an image, bool [images, values]."""
        wrong = np.zeros([len(margins), self.values], bool)
        rows, points = np.nonzero(margins < 0)
        for values in self._value_of.T:
            wrong[rows, values[points]] = True
        return wrong


def drawn(places: np.ndarray, share: float) -> np.ndarray:
    """Returns which images to look at, by their places among all, bool [n].

    Raises:
      ValueError: the share is not in (0, 1].
    """
    validation.check_range("share", share, 0, 1, exclusive_low=True)
    return np.random.default_rng(0).uniform(size=places.max() + 1)[places] < share


def _values(points: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the number of each point's value among those of all axes, int [points, axes]."""
    numbers, total = [], 0
    for column in points.T:
        values, inverse = np.unique(column, return_inverse=True)
        numbers.append(inverse.reshape(-1) + total)
        total += len(values)
    return np.stack(numbers, axis=1), total
