"""Draws figures, and names their files."""

from __future__ import annotations

import sys

from rich.console import Console

from spatial_keras.commands import running
from spatial_keras.configuration.plot_config import PlotConfig
from spatial_keras.reporting import plot


def main(config: PlotConfig) -> None:
    """Draws the figures and names their files."""
    with running.mistakes_refused():
        written = plot.prepare(config).draw(lambda line: sys.stderr.write(f"{line}\n"))
    for file in written:
        Console().print(f"Written: {file}", soft_wrap=True, markup=False)
