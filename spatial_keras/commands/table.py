"""Trains the runs of a table, and shows it."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from spatial_keras.commands import running
from spatial_keras.configuration.table_config import TableConfig
from spatial_keras.experiments import table


def main(config: TableConfig) -> None:
    """Trains the runs that are not finished, and shows the table."""
    with running.mistakes_refused():
        runs = table.prepare(config)
        is_chief = runs.distribution.is_chief
        found = runs.run(running.typed(), running.say if is_chief else lambda line: None)
    if not is_chief:
        return
    shown = Table(*found.header, title=Text(found.title))
    for row in found.rows:
        shown.add_row(*row.cells())
    running.show(shown, f"Written: {runs.folder / 'table.md'}, table.csv")
