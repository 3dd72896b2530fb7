"""Images in folders, as Keras and torchvision lay them out: a folder for each class.

Either PATH/train/CLASS/*.jpg beside PATH/test (or val, validation), or PATH/CLASS/*.jpg, of which a
part is held out for testing.
"""

from __future__ import annotations

import os
import pathlib
import unicodedata
import warnings

import numpy as np

from spatial_keras.data.dataset import Dataset, hold_out_by_class, resize
from spatial_keras.support import files, validation

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_TEST_FOLDERS = ("test", "val", "validation")
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "F")
_SHOWN = 3


def from_folder(
    path: str | os.PathLike,
    image_size: int | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
    skip_damaged: bool = False,
) -> Dataset:
    """Reads an image classification set from folders.

    Classes are the names of the folders, in order. Images are JPEG, PNG or BMP files, of any depth
    within a class's folder; all other files and hidden ones are left alone. Photographs are turned
    as their EXIF orientation says. 16-bit grey levels become 8-bit ones, palettes colours, and
    transparency is dropped. If all images are grey, they have one channel, else three.

    Args:
      path: the folder.
      image_size: height and width to resize all images to; needed where they differ in size.
      test_fraction: share of each class to hold out for testing, in (0, 1); needed, and allowed,
        only where there is no folder of test images.
      seed: of the draw of those held out.
      skip_damaged: leave out files that cannot be read, with a warning; else they are refused.

    Raises:
      ValueError: there are no such folders, a class has no images, or a file cannot be read.
    """
    root = pathlib.Path(path)
    if not root.is_dir():
        raise ValueError(f"folder '{root}' does not exist.")
    train, test = _train_and_test(root)
    classes = _classes(train)
    if (test is None) == (test_fraction is None):
        raise ValueError(
            f"folder '{root}' has no folder of test images: give --test_fraction, e.g. 0.2."
            if test is None
            else f"--test_fraction has no effect: '{test}' holds the test images."
        )
    reader = _Reader(root, image_size, skip_damaged)
    found = [reader.read(train, classes)]
    if test is not None:
        _check_classes(test, classes)
        found.append(reader.read(test, classes))
    images = reader.stack([image for part, _ in found for image in part])
    labels = np.concatenate([labels for _, labels in found])
    if test is None:
        validation.check_range(
            "test_fraction", test_fraction, 0, 1, exclusive_low=True, exclusive_high=True
        )
        is_test = hold_out_by_class(labels, classes, test_fraction, seed)
    else:
        is_test = np.arange(len(labels)) >= len(found[0][1])
    parts = [part[rows] for rows in (~is_test, is_test) for part in (images, labels)]
    return Dataset(f"folder:{path}", *parts, tuple(classes), flip_keeps_label=False)


def _train_and_test(root: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path | None]:
    if not (root / "train").is_dir():
        return root, None
    test = [root / name for name in _TEST_FOLDERS if (root / name).is_dir()]
    return root / "train", test[0] if test else None


def _classes(folder: pathlib.Path) -> list[str]:
    names = sorted(_subfolders(folder))
    if len(names) < 2:
        raise ValueError(
            f"folder '{folder}' must hold a folder of images for each of at least two classes, "
            f"it holds {len(names)}."
        )
    return names


def _subfolders(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the folders within one by name; a name of two spellings in Unicode is one name."""
    found = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
    return {unicodedata.normalize("NFC", each.name): each for each in found}


def _check_classes(test: pathlib.Path, classes: list[str]) -> None:
    for name in _subfolders(test):
        if name not in classes:
            raise ValueError(validation.unknown_name(f"class in '{test}'", name, classes))


class _Reader:
    """Reads the images of all classes, of one size and one kind.

    Args:
      root: the folder, for messages.
      image_size: height and width to resize to; None leaves images as they are.
      skip_damaged: whether to leave out what cannot be read.
    """

    def __init__(self, root: pathlib.Path, image_size: int | None, skip_damaged: bool) -> None:
        self._root, self._image_size, self._skip = root, image_size, skip_damaged

    def read(self, folder: pathlib.Path, classes: list[str]) -> tuple[list[np.ndarray], np.ndarray]:
        """Returns the images [height, width, 1 or 3] in a folder of classes, and their labels."""
        images, labels, damaged = [], [], []
        folders = _subfolders(folder)
        for label, name in enumerate(classes):
            before = len(images)
            for file in _image_files(folders[name]) if name in folders else ():
                try:
                    images.append(self._image(file))
                    labels.append(label)
                except ValueError as error:
                    if not self._skip:
                        raise ValueError(
                            f"{str(error)[:-1]}; --skip_damaged leaves it out."
                        ) from error
                    damaged.append(file)
            if len(images) == before:
                raise ValueError(f"class '{name}' has no images in '{folder}'.")
        if damaged:
            shown = ", ".join(map(str, damaged[:_SHOWN])) + (", ..." if damaged[_SHOWN:] else "")
            warnings.warn(f"{len(damaged)} damaged images are left out: {shown}", stacklevel=4)
        return images, np.array(labels, np.int32)

    def _image(self, file: pathlib.Path) -> np.ndarray:
        image = _decoded(file)
        return image if self._image_size is None else resize(image, self._image_size).numpy()

    def stack(self, images: list[np.ndarray]) -> np.ndarray:
        """Returns images as one array, of one channel if all are grey, else of three."""
        sizes = {image.shape[:2] for image in images}
        if len(sizes) > 1:
            shown = " and ".join(f"{height}x{width}" for height, width in sorted(sizes)[:2])
            raise ValueError(
                f"the images in '{self._root}' differ in size, {shown}: give one (--image_size)."
            )
        channels = max(image.shape[2] for image in images)
        shape = [len(images), *images[0].shape[:2], channels]
        return np.stack([np.broadcast_to(image, shape[1:]) for image in images])


def _image_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def _decoded(file: pathlib.Path) -> np.ndarray:
    """Returns the pixels of a file, uint8 [height, width, 1 or 3]."""
    import PIL.Image
    import PIL.ImageOps

    with files.failures_in_one_line(f"image '{file}' cannot be read"):
        with PIL.Image.open(file) as opened:
            image = PIL.ImageOps.exif_transpose(opened)
        if image.mode in _GREY_MODES:
            return _grey(np.asarray(image if image.mode != "LA" else image.convert("L")))
        return np.asarray(image.convert("RGB"))


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    elif pixels.dtype != np.uint8:  # of 16 bits; 257 * 255 = 65535
        pixels = np.round(pixels / 257).astype(np.uint8)
    return pixels[..., np.newaxis]
