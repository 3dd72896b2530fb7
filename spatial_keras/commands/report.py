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
    """Returns the table of the relative reductions of the error on the grid.

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
        ("grid accuracy, points", lambda one: f"{one.difference:+.1f}", True),
        ("fewer errors, %", lambda one: f"{one.mean:+.1f}", True),
        ("95% interval", _interval, True),
    ]
    table = Table(title=f"{defense} against {baseline}")
    shown = []
    for name, text, always in columns:
        texts = [text(one) for one in found]
        if always or len(set(texts)) > 1:
            table.add_column(name)
            shown.append(texts)
    for row in zip(*shown):
        table.add_row(*row)
    return table


def _interval(one: runs_csv.Reduction) -> str:
    return "-" if one.low is None else f"{one.low:.1f} to {one.high:.1f}"
