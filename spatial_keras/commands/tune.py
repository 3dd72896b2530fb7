"""Runs the trials of a search, and shows them."""

from __future__ import annotations

import shlex

from rich.table import Table

from spatial_keras.commands import running
from spatial_keras.configuration.tune_config import TuneConfig
from spatial_keras.experiments import tune


def main(config: TuneConfig) -> None:
    """Runs the trials that have not ended, and shows their table."""
    with running.mistakes_refused():
        study = tune.prepare(config)
        trials = study.run(running.say)
    if trials is None:
        running.show("This worker has no more trials to run; the chief writes the table.")
        return
    images = f"{config.validation_images} held-out training images"
    table = Table(*trials.header, title=f"Trials on {images}, the best first")
    for row in trials.rows():
        table.add_row(*row)
    figure = ", lambda.png" if trials.curves() else ""
    best = f"--flagfile={config.folder / tune.BEST_FILE}"
    running.show(
        table,
        f"Written: {config.folder / 'table.md'}, table.csv{figure}",
        f"The best with all training images: {shlex.join(['spatial-keras', 'train', best])}",
    )
