"""Trains, and shows the accuracies."""

from __future__ import annotations

from rich.table import Table

from spatial_keras.commands import running
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import train
from spatial_keras.support import tables


def main(config: RunConfig) -> None:
    """Trains, evaluates and shows the accuracies."""
    with running.mistakes_refused():
        run = train.prepare(config)
    if run.distribution.is_chief:
        for line in (*run.notes, *run.state()):
            running.say(line)
    results = run.run()
    if not run.distribution.is_chief:
        return
    table = Table("accuracy", "%", title=results.evaluated_on)
    for name, accuracy in results.accuracies.measured.items():
        table.add_row(name, tables.rounded(100 * accuracy, 1))
    running.show(table, f"Run folder: {run.folder.path}")
