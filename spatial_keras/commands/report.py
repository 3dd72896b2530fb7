"""Writes one HTML page about finished runs: the table, the figures, and how each run was made.

Examples: python -m spatial_keras report --runs=runs/tables/digits
          python -m spatial_keras report --runs=runs/tables/cifar10 --nobest_run
"""

from __future__ import annotations

import sys

from rich.console import Console

from spatial_keras.experiments import command_line
from spatial_keras.reporting import report
from spatial_keras.reporting.report import ReportConfig as Config


def main(config: Config) -> None:
    """Writes the page and names its file."""
    with command_line.mistakes_refused():
        written = report.prepare(config).write(lambda line: sys.stderr.write(f"{line}\n"))
    Console().print(f"Written: {written}", soft_wrap=True, markup=False)
