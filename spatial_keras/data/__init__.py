"""Image classification sets in memory, by name.

A set is "digits", which scikit-learn ships, or any image classification set of TensorFlow Datasets.
"""

from __future__ import annotations

from spatial_keras.data import digits, tfds
from spatial_keras.data.dataset import Dataset
from spatial_keras.data.tfds import DataNotFoundError
from spatial_keras.support import validation

__all__ = ["DataNotFoundError", "Dataset", "get"]


def get(name: str, data_dir: str | None = None, image_size: int | None = None) -> Dataset:
    """Returns an image classification set by name.

    Args:
      name: "digits", or a TFDS set such as "cifar10" with, if necessary, its configuration
        ("emnist/letters") and version ("cifar10:3.0.2"). It must have the features `image` (uint8)
        and `label` (a class), a split `train`, and a labelled split `test` or `validation`.
      data_dir: folder of the TFDS sets; None is the default of TFDS. A set that is not there is
        fetched into it.
      image_size: height and width to resize all images to; None leaves them as they are, digits at
        32. Needed for sets whose images differ in size.

    Raises:
      ValueError: there is no such set, or it is not of this kind, or cannot be read.
      DataNotFoundError: it is not on disk and could not be fetched.
    """
    if image_size is not None:
        validation.check_integer("image_size", image_size, 1)
    if name == "digits":
        return digits.load(image_size or 32)
    return tfds.load(name, data_dir, image_size)
