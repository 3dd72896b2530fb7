"""Image classification sets, by name: in memory, or read from disk where they are large.

A set is "digits", which scikit-learn ships, any image classification set of TensorFlow Datasets, or
images of one's own in folders.
"""

from __future__ import annotations

from spatial_keras.data import digits, tfds
from spatial_keras.data.dataset import Dataset
from spatial_keras.data.folder import from_folder
from spatial_keras.data.images_on_disk import STREAMS
from spatial_keras.data.sizing import Sizing
from spatial_keras.data.spread import across_classes
from spatial_keras.data.tfds import DataNotFoundError
from spatial_keras.data.waiting import WaitingTime
from spatial_keras.support import validation

__all__ = ["DataNotFoundError", "Dataset", "WaitingTime", "across_classes", "from_folder", "get"]

FOLDER = "folder:"


def get(
    name: str,
    data_dir: str | None = None,
    image_size: int | None = None,
    test_fraction: float | None = None,
    skip_damaged: bool = False,
    crop: float | None = None,
    stream: str = "auto",
) -> Dataset:
    """Returns an image classification set by name.

    Args:
      name: "digits"; "folder:PATH", see `from_folder`; or a TFDS set such as "cifar10" with, if
        necessary, its configuration ("emnist/letters") and version ("cifar10:3.0.2"). It must have
        the features `image` (uint8) and `label` (a class), and a split `train` or a labelled split
        `test` or `validation`; one without `train`, such as "cifar10_1", has no training images.
      data_dir: folder of the TFDS sets; None is the default of TFDS. A set that is not there is
        fetched into it.
      image_size: height and width to resize all images to; None leaves them as they are, digits at
        32. Needed for sets whose images differ in size.
      test_fraction: where there are no test images, the share of each class to test on.
      skip_damaged: of folders, whether files that cannot be read are left out.
      crop: the side of the square in the middle of an image that is cut out before it is resized,
        as a share of the shorter side, in (0, 1]; None resizes the whole image to a square.
      stream: "on" leaves the images on disk, from where they are read when they are needed, "off"
        holds them in memory, and "auto" does so where they take at most 2 GiB. What is read is the
        same.

    Raises:
      ValueError: there is no such set, or it is not of this kind, or cannot be read.
      DataNotFoundError: it is not on disk and could not be fetched.
    """
    sizing = Sizing(image_size, crop)
    validation.check_name("stream", stream, STREAMS)
    if data_dir is not None and (name == "digits" or name.startswith(FOLDER)):
        raise ValueError(f"--data_dir has no effect: '{name}' is not of TensorFlow Datasets.")
    if name.startswith(FOLDER):
        path = name[len(FOLDER) :]
        if not path:
            raise ValueError(f"'{name}' names no folder: give {FOLDER}PATH.")
        return from_folder(
            path, image_size, test_fraction, skip_damaged=skip_damaged, crop=crop, stream=stream
        )
    if skip_damaged:
        raise ValueError(f"--skip_damaged is for folders, not for '{name}'.")
    if name == "digits":
        if test_fraction is not None:
            raise ValueError("--test_fraction has no effect: 'digits' has test images.")
        if crop is not None or stream == "on":
            raise ValueError("--crop and --stream=on are for images in files, not for 'digits'.")
        return digits.load(image_size or 32)
    return tfds.load(name, data_dir, sizing, stream, test_fraction)
