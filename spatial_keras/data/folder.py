"""Images in folders, as Keras and torchvision lay them out: a folder for each class.

Either PATH/train/CLASS/*.jpg beside PATH/test (or val, validation), or PATH/CLASS/*.jpg, of which a
part is held out for testing.
"""

from __future__ import annotations

import os
import pathlib
import warnings
from collections.abc import Sequence
from concurrent import futures

import numpy as np

from spatial_keras.data import class_folders, image_files, images_on_disk
from spatial_keras.data.dataset import Dataset, hold_out_by_class
from spatial_keras.data.images_on_disk import ImagesOnDisk
from spatial_keras.data.sizing import Sizing
from spatial_keras.support import files, validation

_SHOWN = 3


def from_folder(
    path: str | os.PathLike,
    image_size: int | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
    skip_damaged: bool = False,
    crop: float | None = None,
    stream: str = "auto",
) -> Dataset:
    """Reads an image classification set from folders.

    Classes are the names of the folders, in order. Images are JPEG, PNG, BMP, WebP or GIF files, of
    which moving ones give their first picture, of any depth within a class's folder. All others,
    and hidden files and folders, are left out, and a warning counts them. Photographs are turned as
    their EXIF orientation says. 16-bit grey levels become 8-bit ones, palettes colours, and
    transparency is dropped. If all images are grey, they have one channel, else three. A warning
    says which test images are among the training images, to the byte.

    Args:
      path: the folder.
      image_size: height and width to resize all images to; needed where they differ in size.
      test_fraction: share of each class to hold out for testing, in (0, 1); needed, and allowed,
        only where there is no folder of test images.
      seed: of the draw of those held out.
      skip_damaged: leave out files that cannot be read, with a warning; else they are refused: of
        images that stay on disk, when they are read.
      crop: as for `data.get`.
      stream: as for `data.get`. With `skip_damaged` images that stay on disk are all read once to
        begin with.

    Raises:
      ValueError: there are no such folders, a class has no images, or a file cannot be read.
    """
    root = pathlib.Path(path)
    if not root.is_dir():
        raise ValueError(f"folder '{root}' does not exist.")
    train, test = class_folders.train_and_test(root)
    classes = class_folders.classes_of(train)
    if (test is None) == (test_fraction is None):
        raise ValueError(
            f"folder '{root}' has no folder of test images: give --test_fraction, e.g. 0.2."
            if test is None
            else f"--test_fraction has no effect: '{test}' holds the test images."
        )
    if test_fraction is not None:
        validation.check_range(
            "test_fraction", test_fraction, 0, 1, exclusive_low=True, exclusive_high=True
        )
    found = _Files(root, Sizing(image_size, crop), skip_damaged)
    found.add(train, classes)
    if test is not None:
        class_folders.check_classes(test, classes)
        found.add(test, classes)
    images = found.read(stream)
    is_test = (
        found.parts == 1
        if test_fraction is None
        else hold_out_by_class(found.labels, classes, test_fraction, seed)
    )
    dataset = found.dataset(f"folder:{path}", images, is_test)
    for note in dataset.notes:
        warnings.warn(note, stacklevel=2)
    return dataset


class _Files:
    """The files of all classes, and their images, of one size and one kind.

    Args:
      root: the folder, for messages.
      sizing: brings images to one size.
      skip_damaged: whether to leave out what cannot be read.

    Attributes:
      paths: the files.
      labels: their classes, int32 [n].
      parts: whether they are of the first folder added, 0, or of the second, 1, [n].
      left_out: how many damaged files there were beside these.
    """

    def __init__(self, root: pathlib.Path, sizing: Sizing, skip_damaged: bool) -> None:
        self._root, self._sizing, self._skip = root, sizing, skip_damaged
        self._folders: list[pathlib.Path] = []
        self._others = class_folders.LeftOut()
        self._classes: Sequence[str] = ()
        self.paths: list[pathlib.Path] = []
        self.labels, self.parts = np.zeros(0, np.int32), np.zeros(0, int)
        self.left_out = 0

    def add(self, folder: pathlib.Path, classes: Sequence[str]) -> None:
        """Adds the files in a folder of classes."""
        folders = class_folders.of_classes(folder)
        found = [
            self._others.images_in(folders[name]) if name in folders else [] for name in classes
        ]
        counts = [len(images) for images in found]
        self.paths += [file for images in found for file in images]
        labels = np.repeat(np.arange(len(classes), dtype=np.int32), counts)
        self.labels = np.concatenate([self.labels, labels])
        self.parts = np.concatenate([self.parts, np.full(len(labels), len(self._folders))])
        self._folders.append(folder)
        self._classes = classes
        self._check_each_class_has_images()

    def _check_each_class_has_images(self) -> None:
        for part, folder in enumerate(self._folders):
            counts = np.bincount(self.labels[self.parts == part], minlength=len(self._classes))
            for name, count in zip(self._classes, counts):
                if not count:
                    others = f" {self._others_note()}" if self._others else ""
                    raise ValueError(f"class '{name}' has no images in '{folder}'.{others}")

    def dataset(self, name: str, images: np.ndarray | ImagesOnDisk, is_test: np.ndarray) -> Dataset:
        """Returns the set of these images, of which some are test images, bool [n]."""
        within = (file.relative_to(self._root).as_posix() for file in self.paths)
        names = np.array([files.presentable(name) for name in within], object)
        train, test = ((images[rows], self.labels[rows]) for rows in (~is_test, is_test))
        return Dataset(
            name,
            *train,
            *test,
            class_names=tuple(self._classes),
            flip_keeps_label=False,
            left_out=self.left_out,
            train_names=names[~is_test],
            test_names=names[is_test],
            notes=tuple(self._notes(is_test)),
        )

    def _notes(self, is_test: np.ndarray) -> list[str]:
        """What to know of the images, of which some are test images, bool [n]."""
        notes = [self._others_note()] if self._others else []
        train, test = (
            [self.paths[row] for row in np.flatnonzero(rows)] for rows in (~is_test, is_test)
        )
        equal = class_folders.equal_files(train, test)
        if equal:
            shown = ", ".join(
                " is ".join(f"'{file.relative_to(self._root).as_posix()}'" for file in pair)
                for pair in equal[:_SHOWN]
            )
            more = ", ..." if equal[_SHOWN:] else ""
            count = f"{len(equal)} of {len(test)} test images"
            notes.append(f"{count} are among the training images: {shown}{more}.")
        return [files.presentable(note) for note in notes]

    def _others_note(self) -> str:
        return f"Left out of '{self._root}', as they are no images: {self._others}."

    def read(self, stream: str) -> np.ndarray | ImagesOnDisk:
        """Returns the images, in memory or, as `stream` says, on disk; drops damaged files."""
        shape = self._shape_of_first()
        if not images_on_disk.are_wanted(stream, len(self.paths), shape):
            images = [self._image(file) for file in self.paths]
            self._drop([image is None for image in images])
            return self._stack([image for image in images if image is not None])
        if self._skip:
            with futures.ThreadPoolExecutor() as pool:
                self._drop(list(pool.map(_is_damaged, self.paths)))
        all_grey = all(map(image_files.is_grey, self.paths))
        reader = image_files.FileReader(
            self.paths, self._sizing, (*shape[:2], 1 if all_grey else 3)
        )
        return ImagesOnDisk(reader, np.arange(len(self.paths)))

    def _shape_of_first(self) -> tuple[int, ...]:
        """The shape of the first image that can be read, as one of a coloured set."""
        if self._sizing.size is not None:
            return self._sizing.size, self._sizing.size, 3
        for file in self.paths:
            try:
                return (*image_files.decoded(file).shape[:2], 3)
            except ValueError as error:
                self._refuse(error)
        return 0, 0, 3

    def _image(self, file: pathlib.Path) -> np.ndarray | None:
        """The pixels of a file, uint8 [height, width, 1 or 3]; None if it is damaged."""
        try:
            return np.asarray(self._sizing(image_files.decoded(file)))
        except ValueError as error:
            self._refuse(error)
            return None

    def _refuse(self, error: ValueError) -> None:
        if not self._skip:
            raise ValueError(f"{str(error)[:-1]}; --skip_damaged leaves it out.") from error

    def _drop(self, damaged: Sequence[bool]) -> None:
        dropped = [str(file) for file, is_damaged in zip(self.paths, damaged) if is_damaged]
        self.left_out = len(dropped)
        if not dropped:
            return
        shown = files.presentable(", ".join(dropped[:_SHOWN])) + ", ..." * bool(dropped[_SHOWN:])
        warnings.warn(f"{len(dropped)} damaged images are left out: {shown}", stacklevel=4)
        kept = ~np.array(damaged)
        self.paths = [file for file, is_kept in zip(self.paths, kept) if is_kept]
        self.labels, self.parts = self.labels[kept], self.parts[kept]
        self._check_each_class_has_images()

    def _stack(self, images: list[np.ndarray]) -> np.ndarray:
        """Images as one array, of one channel if all are grey, else of three."""
        sizes = {image.shape[:2] for image in images}
        if len(sizes) > 1:
            shown = " and ".join(f"{height}x{width}" for height, width in sorted(sizes)[:2])
            raise ValueError(
                f"the images in '{self._root}' differ in size, {shown}: give one (--image_size)."
            )
        channels = max(image.shape[2] for image in images)
        shape = [len(images), *images[0].shape[:2], channels]
        return np.stack([np.broadcast_to(image, shape[1:]) for image in images])


def _is_damaged(file: pathlib.Path) -> bool:
    try:
        image_files.decoded(file)
    except ValueError:
        return True
    return False
