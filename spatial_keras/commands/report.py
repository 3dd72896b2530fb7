"""Writes the page about runs; shows two defenses compared."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from spatial_keras.commands import running
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.reporting import evaluated, markup, report


def main(config: ReportConfig) -> None:
    """Writes the page and the CSV file, and names them."""
    if config.evaluations is not None:
        with running.mistakes_refused():
            file = evaluated.prepare(config).write(running.say)
        running.show(f"Written: {file}")
        return
    with running.mistakes_refused():
        page = report.prepare(config)
        written = page.write(lambda line: sys.stderr.write(f"{line}\n"))
    console = Console()
    if page.compared:
        console.print(_table(page.compared))
    console.print(f"Written: {written}, {page.csv.name}", soft_wrap=True, markup=False)


def _table(compared: markup.Table) -> Table:
    shown = Table(*compared.header, title=compared.title, caption=compared.note)
    for row in compared.rows:
        shown.add_row(*row)
    return shown
