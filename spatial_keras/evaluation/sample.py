"""Sample: the images that outcomes are of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from spatial_keras.geometry.transformations import TransformationSet


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """The images that outcomes are of, and the transformations that they are judged under.

    Attributes:
      labels: class numbers, int32 [n].
      class_names: the name of each class.
      names: what each image is found by, such as its file, [n].
      size: (height, width) of the images, in pixels.
      transformations: the set S.
    """

    labels: np.ndarray
    class_names: Sequence[str]
    names: Sequence[object] | np.ndarray
    size: tuple[int, int]
    transformations: TransformationSet

    @property
    def number(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def part(self, rows: np.ndarray) -> Sample:
        """Returns the sample of some of the images, int [m]."""
        names = [self.names[row] for row in rows]
        return dataclasses.replace(self, labels=self.labels[rows], names=names)
