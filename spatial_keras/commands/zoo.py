"""Shows the classifiers of the zoo; writes the leaderboard; adds a classifier."""

from __future__ import annotations

import pathlib

from rich.table import Table
from rich.text import Text

from spatial_keras import zoo
from spatial_keras.commands import running
from spatial_keras.configuration.zoo_config import ZooConfig
from spatial_keras.experiments import cards
from spatial_keras.reporting import leaderboard
from spatial_keras.support import files
from spatial_keras.zoo.cards import read


def main(config: ZooConfig) -> None:
    """Does what the flags say, and shows all cards."""
    with running.mistakes_refused():
        if config.add is not None:
            cards.pack(config.add, config.purpose or "")
        found = [*map(zoo.card, zoo.names()), *map(read, config.cards or ())]
    written = []
    if config.leaderboard is not None:
        files.write_text(pathlib.Path(config.leaderboard), leaderboard.markdown(found))
        written.append(f"Written: {config.leaderboard}")
    table = Table("classifier", "data", *(f"{name}, %" for name in leaderboard.MEASURES))
    table.columns[0].no_wrap = True
    for card in leaderboard.ranked(found):
        names = (Text(files.presentable(text)) for text in (card.name, card.data.get("name", "-")))
        shown = (leaderboard.accuracy(card, name) for name in leaderboard.MEASURES)
        table.add_row(*names, *shown)
    running.show(table, *written)
