"""The classifier of a run, and how it does on rotated test images."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spatial_keras import evaluation
from spatial_keras.configuration.plot_config import IMAGES
from spatial_keras.experiments import building, evaluate, image_sets
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp

# The rotations of the paper's grid.
_ANGLES = 31
# Of the angles, those at which an image is shown.
_SHOWN = slice(None, None, 5)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A trained classifier and how it does on rotated test images.

    Attributes:
      classifier: maps pixel values to logits.
      images: the first test images, [n, height, width, channels].
      labels: their class numbers, [n].
      class_names: of all classes.
      degrees: rotations, [angles].
      right: whether each image is classified rightly at each rotation, bool [n, angles].
    """

    classifier: Callable[..., Any]
    images: np.ndarray
    labels: np.ndarray
    class_names: Sequence[str]
    degrees: np.ndarray
    right: np.ndarray

    def first_broken(self) -> int:
        """Returns the first image that is right untouched and wrong elsewhere, or else 0."""
        untouched = self.right[:, len(self.degrees) // 2]
        return int(np.argmax(untouched & ~self.right[:, _SHOWN].all(axis=1)))

    def rotated(self, number: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Returns an image at some rotations, float32, these in degrees, and the predictions."""
        degrees = self.degrees[_SHOWN]
        parameters = TransformationSet(0, 0, float(degrees[-1])).grid((1, 1, len(degrees)))
        images = np.repeat(self.images[number][None], len(degrees), axis=0).astype(np.float32)
        images = SpatialWarp.fastest(xla=False)(images, parameters).numpy()
        predictions = np.argmax(self.classifier(images, training=False), axis=-1)
        return images, degrees, [self.class_names[i] for i in predictions]


def load(folder: str, data_dir: str | None) -> Subject | None:
    """Returns a run's classifier and what it makes of the rotations within its S.

    Returns:
      None if S has no rotations.

    Raises:
      ValueError: the run or its images cannot be read.
    """
    config, classifier, _ = evaluate.load_run(folder, data_dir)
    if not config.max_rotation:
        return None
    dataset = image_sets.load(config)
    images, labels = np.asarray(dataset.test_images[:IMAGES]), dataset.test_labels[:IMAGES]
    rotations = TransformationSet(0, 0, config.max_rotation)
    xla = building.uses_xla(config)
    evaluator = evaluation.Evaluator(classifier, images, labels, transformations=rotations, xla=xla)
    counts = (1, 1, _ANGLES)
    with tempfile.TemporaryDirectory() as temporary:
        found = pathlib.Path(temporary) / "map"
        evaluator.grid_map(found, counts)
        right = np.load(found / "margins.npy") >= 0
    degrees = rotations.grid(counts)[:, 2]
    return Subject(classifier, images, labels, dataset.class_names, degrees, right)
