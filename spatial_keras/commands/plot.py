"""Draws the paper's figures from runs of train and table.

Examples:
  python -m spatial_keras plot --all --runs=runs/tables/digits --run=runs/digits/resnet8_std_seed0
  python -m spatial_keras plot --figures=cost,lambda --runs=runs/tables/cifar10
"""

from __future__ import annotations

import sys

from rich.console import Console

from spatial_keras.commands import running
from spatial_keras.reporting import plot
from spatial_keras.reporting.plot import PlotConfig as Config


def main(config: Config) -> None:
    """Draws the figures and names their files."""
    with running.mistakes_refused():
        written = plot.prepare(config).draw(lambda line: sys.stderr.write(f"{line}\n"))
    for file in written:
        Console().print(f"Written: {file}", soft_wrap=True, markup=False)
