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
    texts = {
        "network": [f"{one.baseline.model}, width {one.baseline.width}" for one in found],
        "training images": [f"{one.baseline.train_images:,}" for one in found],
        f"steps of {baseline}": [f"{one.baseline.steps:,}" for one in found],
        f"steps of {defense}": [f"{one.defense.steps:,}" for one in found],
        f"lambda of {baseline}": [one.baseline.weight for one in found],
        f"lambda of {defense}": [one.defense.weight for one in found],
        "pairs": [str(len(one.seeds)) for one in found],
        "grid accuracy, points": [f"{one.difference:+.1f}" for one in found],
        "fewer errors, %": [f"{one.mean:+.1f}" for one in found],
        "95% interval": [
            "-" if one.low is None else f"{one.low:.1f} to {one.high:.1f}" for one in found
        ],
    }
    where_several = (
        "network",
        f"steps of {defense}",
        f"lambda of {baseline}",
        f"lambda of {defense}",
    )
    shown = [name for name in texts if name not in where_several or len(set(texts[name])) > 1]
    table = Table(*shown, title=f"{defense} against {baseline}")
    for row in zip(*(texts[name] for name in shown)):
        table.add_row(*row)
    return table
