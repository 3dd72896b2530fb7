"""Writes the page about runs; shows two defenses compared."""

from __future__ import annotations

import sys

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
        found = comparison.compare(page.finished.values(), *config.compare)
        console.print(table(found, *config.compare))
    console.print(f"Written: {written}, {page.csv.name}", soft_wrap=True, markup=False)


def table(found: list[comparison.Comparison], baseline: str, defense: str) -> Table:
    """Returns the table of two defenses compared.

    Networks, the defense's steps and lambdas have a column only where there are several.
    """
    columns = [
        ("network", lambda one: f"{one.baseline.model}, width {one.baseline.width:g}", False),
        ("training images", lambda one: f"{one.baseline.train_images:,}", True),
        (f"steps of {baseline}", lambda one: f"{one.baseline.steps:,}", True),
        (f"steps of {defense}", lambda one: f"{one.defense.steps:,}", False),
        (f"lambda of {baseline}", lambda one: f"{one.baseline.weight:g}", False),
        (f"lambda of {defense}", lambda one: f"{one.defense.weight:g}", False),
        ("pairs", lambda one: str(len(one.seeds)), True),
        ("natural", lambda one: f"{one.natural:+.1f}", True),
        ("grid", lambda one: f"{one.grid:+.1f}", True),
        ("fewer errors, %", lambda one: str(one.errors or "-"), True),
        ("fewer broken, %", lambda one: str(one.broken or "-"), True),
    ]
    shown = Table(
        title=f"{defense} against {baseline}",
        caption="Differences of accuracies in points; in brackets 95% intervals over the seeds.",
    )
    cells = []
    for name, text, always in columns:
        texts = [text(one) for one in found]
        if always or len(set(texts)) > 1:
            shown.add_column(name)
            cells.append(texts)
    for row in zip(*cells):
        shown.add_row(*row)
    return shown
