"""Writes one HTML page about finished runs: the table, the figures, and how each run was made.

Examples: python -m spatial_keras report --runs=runs/tables/digits
          python -m spatial_keras report --runs=runs/tables/cifar10 --nobest_run
          python -m spatial_keras report --runs=runs --compare=wo10_at,wo10_kl
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from spatial_keras.experiments import command_line, runs_csv
from spatial_keras.reporting import report
from spatial_keras.reporting.report import ReportConfig as Config


def main(config: Config) -> None:
    """Writes the page and the CSV file, and names them."""
    with command_line.mistakes_refused():
        page = report.prepare(config)
        written = page.write(lambda line: sys.stderr.write(f"{line}\n"))
    console = Console()
    if config.compare:
        found = runs_csv.reductions(page.finished.values(), *config.compare)
        console.print(comparison(found, *config.compare))
    console.print(f"Written: {written}, {page.csv.name}", soft_wrap=True, markup=False)


def comparison(found: list[runs_csv.Reduction], baseline: str, defense: str) -> Table:
    """Returns the table of the relative reductions of the error on the grid."""
    table = Table(
        "training images",
        f"steps of {baseline}",
        "pairs",
        "grid accuracy, points",
        "fewer errors, %",
        "95% interval",
        title=f"{defense} against {baseline}",
    )
    for one in found:
        interval = "-" if one.low is None else f"{one.low:.1f} to {one.high:.1f}"
        numbers = (f"{one.train_images:,}", f"{one.steps:,}", str(len(one.seeds)))
        table.add_row(*numbers, f"{one.difference:+.1f}", f"{one.mean:+.1f}", interval)
    return table
