"""What KerasTuner keeps of a search: written whole, and checked before it is read.

KerasTuner itself writes its files in place, where a kill leaves half of one, and makes objects of
the classes that they name.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import keras_tuner as kt

from spatial_keras.support import files

_ORACLE, _TRIAL = "oracle.json", "trial.json"
_CLASSES = frozenset(("Boolean", "Choice", "Fixed", "Float", "Int", "Parent"))


class DamagedSearchError(ValueError):
    """A file of a search cannot be read, or is not there."""


class _KeptOracle(kt.Oracle):
    """Writes its files whole or not at all."""

    folder: pathlib.Path

    def save(self) -> None:
        files.write_text(self.folder / _ORACLE, json.dumps(self.get_state()))

    def _save_trial(self, trial: kt.engine.trial.Trial) -> None:
        file = _trial_file(self.folder, trial.trial_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(file, json.dumps(trial.get_state()))


def oracle(kind: type[kt.Oracle], folder: pathlib.Path, **options: Any) -> kt.Oracle:
    """Returns an oracle of KerasTuner's whose files a kill does not damage.

    Args:
      kind: its class.
      folder: of the search.
      **options: of the class.
    """
    kept = type(f"Kept{kind.__name__}", (_KeptOracle, kind), {"folder": folder})(**options)
    kept.verbose = 0
    return kept


def restore(oracle: kt.Oracle) -> None:
    """Restores a search from what its last process kept of it, if there is anything.

    The trials that were at work are the next. One that the process was killed in choosing is chosen
    again, as the oracle's file does not know it.

    Args:
      oracle: of `oracle`, before its first trial.

    Raises:
      DamagedSearchError: a file is damaged, and kept under another name; the oracle is of no use.
      ValueError: a file names other classes than KerasTuner's; it is left as it is.
    """
    file = oracle.folder / _ORACLE
    if not file.exists():
        return
    state = _read(file)
    with _damage_named(file):
        at_work = set(state["ongoing_trials"].values()) - set(state["end_order"])
        state["retry_queue"] += sorted(at_work)
        state["ongoing_trials"] = {}
        names = [name for name in state["start_order"] if name.isdigit()]
    for name in names:
        trial_file = _trial_file(oracle.folder, name)
        trial = _read(trial_file)
        with _damage_named(trial_file):
            oracle.trials[name] = kt.engine.trial.Trial.from_state(trial)
            if trial["trial_id"] != name or (
                trial["status"] == "COMPLETED" and not 0 <= trial["score"] <= 1
            ):
                raise ValueError("it is not of this trial")
    with _damage_named(file):
        oracle.set_state(state)


def _trial_file(folder: pathlib.Path, name: str) -> pathlib.Path:
    return folder / f"trial_{name}" / _TRIAL


def _read(file: pathlib.Path) -> dict[str, Any]:
    """Returns what a file says."""
    with _damage_named(file):
        state = json.loads(file.read_bytes())
        if not isinstance(state, dict):
            raise ValueError("it is not of KerasTuner")
        named = list(_objects(state))
    for found in named:
        if found["class_name"] not in _CLASSES or found.keys() - {"class_name", "config"}:
            name = " ".join(str(found["class_name"]).split())[:80]
            raise ValueError(f"{file} is not of KerasTuner: it names {name}.")
    return state


@contextlib.contextmanager
def _damage_named(file: pathlib.Path) -> Iterator[None]:
    """Within, whatever goes wrong is because a file is damaged."""
    try:
        yield
    except Exception as error:  # KerasTuner raises what it likes
        if file.exists():
            os.replace(file, file.with_name(f"damaged_{file.name}"))
        raise DamagedSearchError(f"{file} is damaged ({files.one_line(error)})") from error


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yields what names a class in JSON, at any depth."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = value.values()
    elif not isinstance(value, list):
        return
    for part in value:
        yield from _objects(part)
