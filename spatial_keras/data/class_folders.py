"""Which files of a folder are its images: a folder for each class, or two of such folders."""

from __future__ import annotations

import collections
import hashlib
import os
import pathlib
import unicodedata
from collections.abc import Sequence

from spatial_keras.support import files, validation

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp")
# Of an image's file, which is read whole.
_MOST_BYTES = 1 << 28
_TEST_FOLDERS = ("test", "val", "validation")
_SHOWN = 5


def train_and_test(root: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path | None]:
    """Returns the folders of classes to train and to test on; the latter may be missing."""
    if not (root / "train").is_dir():
        return root, None
    test = [root / name for name in _TEST_FOLDERS if (root / name).is_dir()]
    return root / "train", test[0] if test else None


def of_classes(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the folders within one, by names that can be shown, in the order of these.

    Raises:
      ValueError: two have one name, in two spellings of Unicode.
    """
    found: dict[str, pathlib.Path] = {}
    for each in sorted(folder.iterdir()):
        if each.is_dir() and not each.name.startswith("."):
            name = files.presentable(unicodedata.normalize("NFC", each.name))
            if name in found:
                raise ValueError(f"two folders in '{folder}' have the name '{name}'.")
            found[name] = each
    return dict(sorted(found.items()))


def classes_of(folder: pathlib.Path) -> list[str]:
    """Returns the names of the classes in a folder.

    Raises:
      ValueError: there are fewer than two.
    """
    names = list(of_classes(folder))
    if len(names) < 2:
        raise ValueError(
            f"folder '{folder}' must hold a folder of images for each of at least two classes, "
            f"it holds {len(names)}."
        )
    return names


def check_classes(test: pathlib.Path, classes: Sequence[str]) -> None:
    """Raises ValueError if a folder of test images has a class that is not one of these."""
    for name in of_classes(test):
        if name not in classes:
            raise ValueError(validation.unknown_name(f"class in '{test}'", name, classes))


class LeftOut:
    """Counts the files that are no images by their kinds: their suffixes, or that they are hidden.

    Links to folders are not followed, as they may lead anywhere.
    """

    def __init__(self) -> None:
        self._kinds: collections.Counter[str] = collections.Counter()

    def images_in(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Returns the image files in a folder, of any depth, sorted, and counts all others."""
        found = []
        for place, folders, names in os.walk(folder):
            linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
            for name in [*names, *linked, *(name for name in folders if name.startswith("."))]:
                file = pathlib.Path(place, name)
                kind = _kind(file)
                if kind is None:
                    found.append(file)
                else:
                    self._kinds[kind] += 1
            folders[:] = [name for name in folders if not name.startswith(".")]
        return sorted(found)

    def __str__(self) -> str:
        common = self._kinds.most_common()
        shown = [f"{count} {files.presentable(kind)}" for kind, count in common[:_SHOWN]]
        return ", ".join([*shown, *(["..."] if common[_SHOWN:] else [])])

    def __bool__(self) -> bool:
        return bool(self._kinds)


def _kind(file: pathlib.Path) -> str | None:
    """Returns what a file is instead of an image, or None."""
    if file.name.startswith("."):
        return "hidden"
    if not file.is_file():
        return "not regular"  # nor a link to what is
    if file.stat().st_size > _MOST_BYTES:
        return "too large"
    suffix = file.suffix.lower()
    return None if suffix in SUFFIXES else suffix or "without suffix"


def equal_files(
    train: Sequence[pathlib.Path], test: Sequence[pathlib.Path]
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Returns the test images that are training images too, to the byte, each with one of these."""
    of_train, of_test = ([(file.stat().st_size, file) for file in part] for part in (train, test))
    common = {size for size, _ in of_train} & {size for size, _ in of_test}
    contents = {_content(file): file for size, file in of_train if size in common}
    pairs = ((file, contents.get(_content(file))) for size, file in of_test if size in common)
    return [(file, other) for file, other in pairs if other is not None]


def _content(file: pathlib.Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()
