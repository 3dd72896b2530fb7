"""Runs the trials of a search, and shows them."""

from __future__ import annotations

import shlex
import sys

from rich.console import Console
from rich.table import Table

from spatial_keras.commands import running
from spatial_keras.configuration.tune_config import TuneConfig
from spatial_keras.experiments import tune


def main(config: TuneConfig) -> None:
    """Runs the trials that have not ended, and shows their table."""
    with running.mistakes_refused():
        study = tune.prepare(config)
        trials = study.run(lambda line: sys.stderr.write(f"{line}\n"))
    console = Console()
    if trials is None:
        console.print("This worker has no more trials to run; the chief writes the table.")
        return
    images = f"{config.validation_images} held-out training images"
    table = Table(*trials.header, title=f"Trials on {images}, the best first")
    for row in trials.rows():
        table.add_row(*row)
    console.print(table)
    figure = ", lambda.png" if trials.curves() else ""
    console.print(
        f"Written: {config.folder / 'table.md'}, table.csv{figure}", soft_wrap=True, markup=False
    )
    best = f"--flagfile={config.folder / tune.BEST_FILE}"
    command = shlex.join(["python", "-m", "spatial_keras", "train", best])
    console.print(f"The best with all training images: {command}", soft_wrap=True, markup=False)
