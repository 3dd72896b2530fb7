"""Where along one or two axes of its S the classifier of a run fails."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np

from spatial_keras import evaluation
from spatial_keras.configuration.plot_config import IMAGES
from spatial_keras.experiments import building, evaluate, image_sets
from spatial_keras.geometry.axes import Axis
from spatial_keras.geometry.discrete import DiscreteAxis
from spatial_keras.support import validation

# Points along an axis that is alone, and along each of two; of discrete ones all values.
_POINTS = {1: 31, 2: 15}


@dataclasses.dataclass(frozen=True, eq=False)
class Along:
    """What a classifier makes of images that are transformed along axes.

    Attributes:
      axes: one or two.
      values: of each axis, float [points].
      right: which predictions are right, bool [images, points] or [images, points, points].
    """

    axes: Sequence[Axis]
    values: Sequence[np.ndarray]
    right: np.ndarray


def load(folder: str, data_dir: str | None, names: Sequence[str]) -> Along:
    """Returns what a run's classifier makes of the first test images along axes of the run's S.

    Args:
      folder: of the run.
      data_dir: folder of the TensorFlow Datasets.
      names: of the axes, one or two; all others stay at the identity.

    Raises:
      ValueError: the run or its images cannot be read, or S has no such axis.
    """
    config, classifier, _ = evaluate.load_run(folder, data_dir)
    dataset = image_sets.load(config)
    images, labels = np.asarray(dataset.test_images[:IMAGES]), dataset.test_labels[:IMAGES]
    box = building.transformations(config, *images.shape[1:3])
    moving = {axis.name: axis for axis in box.axes if axis.moves}
    for name in names:
        validation.check_name(f"axis of the run in {folder}", name, tuple(moving))
    most = _POINTS[len(names)]
    number = {
        name: moving[name].points if isinstance(moving[name], DiscreteAxis) else most
        for name in names
    }
    counts = tuple(number.get(axis.name, 1) for axis in box.axes)
    xla = building.uses_xla(config)
    evaluator = evaluation.Evaluator(
        classifier, images, labels, transformations=box, warp=building.warp(config, xla), xla=xla
    )
    with tempfile.TemporaryDirectory() as temporary:
        found = pathlib.Path(temporary) / "map"
        evaluator.grid_map(found, counts)
        right = np.load(found / "margins.npy") >= 0
    # The points go through the last axis fastest.
    places = sorted(names, key=box.names.index)
    right = right.reshape(len(labels), *(number[name] for name in places))
    if places != list(names):
        right = right.swapaxes(1, 2)
    return Along(
        [moving[name] for name in names], [moving[name].grid(number[name]) for name in names], right
    )
