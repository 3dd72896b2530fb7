"""How often a classifier is right: on natural, randomly transformed and worst-case images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from spatial_keras import validation
from spatial_keras.transformations import TransformationSet
from spatial_keras.warp import SpatialWarp


@dataclasses.dataclass(frozen=True)
class Accuracies:
    """The three accuracies of the paper's tables, each in [0, 1].

    Attributes:
      natural: on untouched images.
      random: under one uniform draw from S per image.
      grid: images that are right at every point of the grid over S ("rob").
    """

    natural: float
    random: float
    grid: float


class Evaluator:
    """Evaluates a classifier on images; batches have one fixed size, so that one graph serves all.

    Args:
      classifier: maps grey levels 0..255, [batch, height, width, channels], to logits.
      images: [n, height, width, channels], grey levels 0..255.
      labels: class numbers, integer [n].
      warp: applies the transformations; `SpatialWarp()` by default.
      batch_size: images per forward pass.
      xla: compile the forward pass with XLA.

    Raises:
      ValueError: no images, or not as many labels.
    """

    def __init__(
        self,
        classifier: tf.keras.Model,
        images: np.ndarray,
        labels: np.ndarray,
        warp: SpatialWarp | None = None,
        batch_size: int = 256,
        xla: bool = False,
    ) -> None:
        if len(images) == 0 or len(images) != len(labels):
            raise ValueError(
                f"images and labels must be equally many and at least 1, got {len(images)} images "
                f"and {len(labels)} labels."
            )
        self.number = len(images)
        self.batch_size = validation.check_integer("batch_size", batch_size, 1)
        warp = SpatialWarp() if warp is None else warp
        images = tf.constant(images)
        labels = tf.cast(tf.constant(labels), tf.int32)

        def is_right(index: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
            warped = warp(tf.gather(images, index), parameters)
            logits = classifier(warped, training=False)
            predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
            return predictions == tf.gather(labels, index)

        self._is_right = tf.function(is_right, jit_compile=xla)

    def is_right(self, index: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Tells which predictions are right.

        Args:
          index: numbers of images, int [pairs].
          parameters: a transformation for each, float [pairs, 3].

        Returns:
          bool [pairs].
        """
        right = np.empty(len(index), bool)
        for start in range(0, len(index), self.batch_size):
            stop = min(start + self.batch_size, len(index))
            # The last batch is filled up with repetitions of its last pair.
            rows = np.minimum(np.arange(start, start + self.batch_size), stop - 1)
            answer = self._is_right(
                tf.constant(index[rows], tf.int32), tf.constant(parameters[rows], tf.float32)
            )
            right[start:stop] = answer.numpy()[: stop - start]
        return right

    def natural(self) -> np.ndarray:
        """Tells which untouched images are classified right: bool [n]."""
        return self.is_right(np.arange(self.number), np.zeros([self.number, 3], np.float32))

    def random(self, transformations: TransformationSet, seed: int = 0) -> np.ndarray:
        """Tells which images are right under one uniform draw each: bool [n]."""
        draws = transformations.sample([seed, 0], [self.number]).numpy()
        return self.is_right(np.arange(self.number), draws)

    def grid(
        self, grid: np.ndarray, on_pass: Callable[[int, int], None] | None = None
    ) -> np.ndarray:
        """Tells which images are right at every point of a grid.

        An image that is once wrong needs no further passes, so batches hold only pairs of a point
        and an image that is still standing, the most damaging points (the farthest) first.

        Args:
          grid: transformations, float [points, 3], e.g. `TransformationSet().grid()`.
          on_pass: called after each pass with (points done, images standing), for a progress bar.

        Returns:
          bool [n].
        """
        scale = np.maximum(np.abs(grid).max(axis=0), 1e-9)
        order = np.argsort(-np.sum((grid / scale) ** 2, axis=1), kind="stable")
        standing = np.ones(self.number, bool)
        for points in self._full_batches(grid[order], standing):
            index, parameters, done = points
            wrong = ~self.is_right(index, parameters)
            standing[index[wrong]] = False
            if on_pass:
                on_pass(done, int(standing.sum()))
        return standing

    def _full_batches(
        self, grid: np.ndarray, standing: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Yields (images, transformations, points begun) in full batches; the last may be short."""
        index, parameters = np.empty(0, int), np.empty([0, 3], np.float32)
        for done, point in enumerate(grid, start=1):
            new = np.flatnonzero(standing)
            index = np.concatenate([index, new])
            parameters = np.concatenate([parameters, np.tile(point, [len(new), 1])])
            while len(index) >= self.batch_size or (done == len(grid) and len(index)):
                yield index[: self.batch_size], parameters[: self.batch_size], done
                keep = standing[index[self.batch_size :]]
                index = index[self.batch_size :][keep]
                parameters = parameters[self.batch_size :][keep]

    def accuracies(
        self,
        transformations: TransformationSet,
        seed: int = 0,
        on_pass: Callable[[int, int], None] | None = None,
    ) -> Accuracies:
        """Returns natural, random and grid accuracy, the last on the paper's 775 points."""
        return Accuracies(
            natural=float(self.natural().mean()),
            random=float(self.random(transformations, seed).mean()),
            grid=float(self.grid(transformations.grid(), on_pass).mean()),
        )
