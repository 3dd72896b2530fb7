"""An attack in the continuous box: what the points between those of the grid can do."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from spatial_keras.evaluation.judge import Judge
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.training import losses

# The last step is this fraction of the first.
_LAST_STEP = 1 / 16
# Of an image's logits, where their cross-entropy is ascended: further apart it loses its slope.
_LARGEST_SPAN = 10.0


def _unsaturated_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    span = tf.reduce_max(logits, -1, keepdims=True) - tf.reduce_min(logits, -1, keepdims=True)
    scale = _LARGEST_SPAN / tf.maximum(span, _LARGEST_SPAN)
    return losses.cross_entropy(labels, tf.stop_gradient(scale) * logits)


UNSATURATED = losses.Objective("ce", _unsaturated_cross_entropy, "labels")


class Attack:
    """Looks for transformations of smaller and smaller margin, from given ones on.

    Signed gradient descent on the margin from several starts for each image, with steps that shrink
    from the grid's spacing to a sixteenth of it, then random steps, likewise shrinking, around the
    best point found. An image that breaks is not tried further.

    Args:
      judge: judges pairs.
      transformations: the set S, which no step leaves.
      spacing: the first steps along the axes of S, float [axes].
      places: what an image's random steps depend on, beside the seed, int [n].

    Attributes:
      passes: how many images went through the network.
    """

    def __init__(
        self,
        judge: Judge,
        transformations: TransformationSet,
        spacing: np.ndarray,
        places: np.ndarray,
    ) -> None:
        self._judge, self._transformations = judge, transformations
        self._spacing, self._places = spacing, places
        self.passes = 0

    def __call__(
        self,
        images: np.ndarray,
        starts: np.ndarray,
        margins: np.ndarray,
        steps: int,
        refinements: int,
        seed: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Attacks images.

        Args:
          images: numbers of images, int [m].
          starts: transformations to start at, the worst first, float [m, starts, axes].
          margins: the margin at the first start, float [m].
          steps: gradient steps from each start.
          refinements: random steps from the best point.
          seed: of the random steps.

        Returns:
          The worst transformations found, float32 [m, axes], and the margins there, float32 [m];
          the image is broken where that is negative.
        """
        self._images = images
        self._margins = margins.astype(np.float32)
        self._worst = starts[:, 0].astype(np.float32)
        self._descend(starts, steps)
        self._refine(refinements, seed)
        return self._worst, self._margins

    def _descend(self, starts: np.ndarray, steps: int) -> None:
        rows = np.repeat(np.arange(len(starts)), starts.shape[1])
        points = starts.reshape(len(rows), starts.shape[-1]).astype(np.float32)
        for scale in np.geomspace(1, _LAST_STEP, steps):
            open_ = self._margins[rows] >= 0
            rows, points = rows[open_], points[open_]
            if not len(rows):
                return
            margins, slopes = self._judge.slopes(self._images[rows], points)
            if self._judge.has_slopes:
                self._record(rows, points, margins)
            else:  # the margins are those of other images, too
                self.passes += len(rows)
                self._try(rows, points)
            points = self._clip(points - scale * self._spacing * np.sign(np.nan_to_num(slopes)))
        open_ = self._margins[rows] >= 0
        self._try(rows[open_], points[open_])

    def _refine(self, refinements: int, seed: int) -> None:
        for number, scale in enumerate(np.geomspace(1, _LAST_STEP, refinements)):
            rows = np.flatnonzero(self._margins >= 0)
            # By its place, as it shall not matter to an image which others there are or stand.
            shape = [self._places.max() + 1, len(self._spacing)]
            drawn = np.random.default_rng([seed, number]).uniform(-1, 1, shape)
            steps = scale * self._spacing * drawn[self._places[self._images[rows]]]
            self._try(rows, self._clip(self._worst[rows] + steps))

    def _try(self, rows: np.ndarray, points: np.ndarray) -> None:
        if len(rows):
            self._record(rows, points, self._judge(self._images[rows], points).margins)

    def _record(self, rows: np.ndarray, points: np.ndarray, margins: np.ndarray) -> None:
        self.passes += len(rows)
        # The worst first, and of each image that one.
        order = np.argsort(margins, kind="stable")
        rows, first = np.unique(rows[order], return_index=True)
        margins, points = margins[order][first], points[order][first]
        worse = margins < self._margins[rows]
        self._margins[rows[worse]] = margins[worse]
        self._worst[rows[worse]] = points[worse]

    def _clip(self, points: np.ndarray) -> np.ndarray:
        return self._transformations.clip(tf.constant(points, tf.float32)).numpy()
