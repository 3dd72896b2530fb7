"""Parts of an evaluation: which images each takes, where it lies, and whether they go together.

Processes that share a folder evaluate a part each, without knowing of each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any

from spatial_keras.configuration import options
from spatial_keras.configuration.shard import Shard
from spatial_keras.support import files

SETTINGS_FILE, DIGESTS_FILE = "settings.json", "digests.json"
_NAME = re.compile(r"part-(\d+)-of-(\d+)")
_OTHERS = {
    "classifier": "another classifier", "images": "other images", "shard": "another part"
}  # fmt: skip


def folder_of(shard: Shard, output: pathlib.Path) -> pathlib.Path:
    """Returns where a part lies, beside the JSON file of the whole."""
    return _folder(output) / f"part-{shard.number}-of-{shard.count}"


def all_of(output: pathlib.Path) -> list[Shard]:
    """Returns the parts of a whole, in their order.

    Args:
      output: the JSON file of the whole.

    Raises:
      ValueError: parts are missing, or there are those of several wholes.
    """
    folder = _folder(output)
    files.check_tree(folder)
    names = (_NAME.fullmatch(file.name) for file in folder.glob("part-*"))
    found = {Shard(int(name[1]), int(name[2])) for name in names if name}
    counts = sorted({shard.count for shard in found})
    if not counts:
        raise ValueError(f"there are no parts in {folder}: --shard=1/COUNT, ... make them.")
    if len(counts) > 1:
        raise ValueError(
            f"{folder} has parts of {' and of '.join(map(str, counts))}: remove those that are not "
            "to be merged."
        )
    parts = [Shard(number, counts[0]) for number in range(1, counts[0] + 1)]
    missing = [shard for shard in parts if shard not in found]
    if missing:
        some = ", ".join(f"--shard={shard}" for shard in missing[:3])
        raise ValueError(
            f"{len(missing)} of {counts[0]} parts are missing in {folder}: start {some}"
            f"{', ...' if len(missing) > 3 else ''}."
        )
    return parts


def check(folder: pathlib.Path, settings: Mapping[str, Any]) -> None:
    """Raises ValueError if a part was made with other settings, or they cannot be read."""
    try:
        there = json.loads((folder / SETTINGS_FILE).read_bytes())
        flags = options.contrast(there["flags"], settings["flags"])
        differing = [name for name in settings if there[name] != settings[name]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(folder) from error
    if flags:
        raise ValueError(f"{folder} was made with other flags ({flags}).")
    if differing:
        raise ValueError(f"{folder} is of {_OTHERS[differing[0]]}.")


def seal(folder: pathlib.Path) -> None:
    """Notes what a finished part holds, by which `check_sealed` knows it again."""
    files.write_text(folder / DIGESTS_FILE, json.dumps(_digests(folder), indent=2))


def check_sealed(folder: pathlib.Path) -> None:
    """Raises ValueError if a part does not hold what it held when it was finished."""
    try:
        is_same = json.loads((folder / DIGESTS_FILE).read_bytes()) == _digests(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(folder) from error
    if not is_same:
        raise damaged(folder)


def _digests(folder: pathlib.Path) -> dict[str, str]:
    """Returns the hash of each file of a part by its name."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != DIGESTS_FILE:
            digest = hashlib.sha256()
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
            found[file.relative_to(folder).as_posix()] = digest.hexdigest()
    return found


def damaged(folder: pathlib.Path) -> ValueError:
    """Returns what to raise for a part that cannot be read."""
    shard = _NAME.sub(r"\1/\2", folder.name)
    return ValueError(f"{folder} is damaged: start --shard={shard} again.")


def is_of(folder: pathlib.Path, settings: Mapping[str, Any]) -> bool:
    """Returns whether there is a part that was made with these settings."""
    try:
        check(folder, settings)
    except ValueError:
        return False
    return True


def remove(output: pathlib.Path) -> None:
    """Removes the parts of a whole, and their folder unless one of them is at work there."""
    for shard in all_of(output):
        shutil.rmtree(folder_of(shard, output))
    with contextlib.suppress(OSError):
        _folder(output).rmdir()


def _folder(output: pathlib.Path) -> pathlib.Path:
    return output.with_name(f"{output.stem}_parts")
