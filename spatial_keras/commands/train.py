"""Trains, and shows the accuracies."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from spatial_keras.commands import running
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import train


def main(config: RunConfig) -> None:
    """Trains, evaluates and shows the accuracies."""
    with running.mistakes_refused():
        run = train.prepare(config)
    if run.distribution.is_chief:
        for line in (*run.notes, *run.state()):
            sys.stderr.write(f"{line}\n")
    results = run.run()
    if not run.distribution.is_chief:
        return
    table = Table("accuracy", "%", title=train.evaluated_on(results))
    for name, value in results["accuracies"].items():
        table.add_row(name, f"{100 * value:.1f}")
    console = Console()
    console.print(table)
    console.print(f"Run folder: {run.folder.path}", soft_wrap=True, markup=False)
