"""Draws figures, and names their files."""

from __future__ import annotations

from spatial_keras.commands import running
from spatial_keras.configuration.plot_config import PlotConfig
from spatial_keras.reporting import plot


def main(config: PlotConfig) -> None:
    """Draws the figures and names their files."""
    with running.mistakes_refused():
        written = plot.prepare(config).draw(running.say)
    running.show(*(f"Written: {file}" for file in written))
