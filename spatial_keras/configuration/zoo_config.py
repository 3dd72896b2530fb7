"""The configuration of the zoo's command: what its flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.configuration.options import Config, option
from spatial_keras.support import files


@dataclasses.dataclass(frozen=True)
class ZooConfig(Config):
    """What to do with the zoo; each field is a flag of zoo.py, which --help documents."""

    cards: tuple[str, ...] | None = option(
        None,
        "Zoo",
        "Cards of further classifiers, which evaluate --card=FILE wrote, with commas between.",
        distinct=True,
    )
    leaderboard: str | None = option(
        None, "Zoo", "A Markdown file to write: all cards by grid accuracy.", is_path=True
    )
    add: str | None = option(
        None,
        "Zoo",
        "Folder of a finished run of train.py, whose classifier becomes one of the zoo; what was "
        "measured comes to its card by evaluate --card.",
        is_path=True,
    )
    purpose: str | None = option(None, "Zoo", "What the classifier of --add is for, in words.")

    def to_continue(self, typed: str) -> None:
        """Returns None: what is done in a moment begins anew."""

    def check(self) -> None:
        """Raises ValueError if a file cannot be written, or a flag has no effect."""
        if self.leaderboard is not None:
            files.check_suffix("--leaderboard", self.leaderboard, ".md")
            files.check_folder("--leaderboard", pathlib.Path(self.leaderboard).parent)
        self.check_effects()

    def without_effect(self) -> dict[str, str]:
        """Returns the fields that have no effect."""
        return {} if self.add else {"purpose": "without --add"}
