"""Writes the page about runs; shows two defenses compared."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from spatial_keras.commands import running
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.reporting import report
from spatial_keras.results import comparison


def main(config: ReportConfig) -> None:
    """Writes the page and the CSV file, and names them."""
    with running.mistakes_refused():
        page = report.prepare(config)
        written = page.write(lambda line: sys.stderr.write(f"{line}\n"))
    console = Console()
    if config.compare:
        console.print(
            compared(comparison.compare(page.runs.finished, *config.compare), *config.compare)
        )
    console.print(f"Written: {written}, {page.csv.name}", soft_wrap=True, markup=False)


def compared(found: Sequence[comparison.Comparison], baseline: str, defense: str) -> Table:
    """Returns the table of two defenses compared."""
    header, rows = comparison.table(found, baseline, defense)
    shown = Table(
        *header,
        title=f"{defense} against {baseline}",
        caption="Differences of accuracies in points; in brackets 95% intervals over the seeds, of "
        "a single pair over its test images.",
    )
    for row in rows:
        shown.add_row(*row)
    return shown
