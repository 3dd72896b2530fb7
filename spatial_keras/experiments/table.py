"""Defenses side by side: each trained with several seeds, and the paper's table of them."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from spatial_keras import data
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.table_config import TableConfig
from spatial_keras.experiments import building, distribution, image_sets, run_folder, train
from spatial_keras.experiments.distribution import Distribution
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.results import folders, variants
from spatial_keras.results.run_results import Results
from spatial_keras.results.table import Row, Table, in_words
from spatial_keras.support import compat, files, locks


def forget_models() -> None:
    """Frees the memory of models that were trained before, in a process that trains several."""
    tf.keras.backend.clear_session()
    compat.release_gradients()
    gc.collect()


@dataclasses.dataclass
class TableRuns:
    """The runs of a table, ready to start or to continue.

    Attributes:
      distribution: what takes part.
      runs: their configurations, defense by defense.
      folder: where the runs' folders lie and the table will.
      images: the data set; None if all runs are finished.
    """

    distribution: Distribution
    runs: list[RunConfig]
    folder: pathlib.Path
    images: data.Dataset | None

    def run(self, command: str, say: Callable[[str], Any]) -> Table:
        """Trains and evaluates what is not finished, and writes table.md and table.csv.

        A run that diverges is named in the table; started again, it continues from its last
        checkpoint and diverges again. A run that another process is at work on is left to it; so
        several processes and machines can share a table, and the last to end completes it. A run
        whose folder cannot be read is left as it is, and named.

        Args:
          command: what the table says it was made by.
          say: called with a line at each run.
        """
        failed = {}
        for number, run in enumerate(self.runs, 1):
            line = f"run {number} of {len(self.runs)}: {run.defense}, seed {run.seed}"
            if self._is_finished(run):
                say(f"{line}, finished before")
                continue
            say(line)
            forget_models()
            failed[run] = self._train(run, say)
        table = self._table(command, failed)
        if self.distribution.is_chief:
            files.write_text(self.folder / "table.md", table.to_markdown())
            files.write_text(self.folder / "table.csv", table.to_csv())
        return table

    def _is_finished(self, run: RunConfig) -> bool:
        # As the chief finds it: the others may see its files sooner or later.
        with self.distribution.losses_named():
            return self.distribution.from_chief(folders.finished(run.folder) is not None)

    def _train(self, config: RunConfig, say: Callable[[str], Any]) -> str | None:
        """Trains and evaluates a run; returns "diverged" or "damaged" if it has no results."""
        try:
            run = train.prepare(config, self.images)
        except ValueError as error:  # what is wrong with all runs was found before the first
            say(f"left out: {error}")
            return None if isinstance(error, locks.BusyError) else "damaged"
        for line in (*run.notes, *run.state()):
            say(line)
        try:
            run.run()
        except DivergedError as error:
            say(f"diverged: {error}")
            return "diverged"
        return None

    def _table(self, command: str, failed: dict[RunConfig, str | None]) -> Table:
        # Other processes may have finished some meanwhile.
        every = {run: folders.finished(run.folder) for run in self.runs}
        found = {run: results for run, results in every.items() if results}
        rows = []
        for name, runs in variants.grouped(self.runs, lambda run: run.defense).items():
            missing = [
                [run.seed for run in runs if run not in found and failed.get(run) == state]
                for state in ("diverged", None, "damaged")
            ]
            rows.append(Row(name, [found[run] for run in runs if run in found], *missing))
        caption = self._caption(list(found.values()))
        return Table(f"Defenses on {self.runs[0].dataset}", caption, command, rows)

    def _caption(self, finished: list[Results]) -> str:
        run = self.runs[0]
        seeds = in_words(list(dict.fromkeys(run.seed for run in self.runs)))
        # A table that was continued elsewhere may have several.
        versions = dict.fromkeys(
            ", ".join(f"{name} {version}" for name, version in results.versions.items())
            for results in finished
        )
        parts = [
            f"Data set: {run.dataset}",
            *([] if run.train_images is None else [f"{run.train_images:,} training images"]),
            f"network: {run.model}, width {run.width:g}",
            f"{run.steps:,} steps",
            f"batch size {run.batch_size}",
            *[results.evaluated_on for results in finished[:1]],
            seeds,
            *([" and ".join(versions)] if finished else []),
        ]
        return f"Mean ± standard error over the seeds. {'; '.join(parts)}. Made by"


def prepare(config: TableConfig) -> TableRuns:
    """Checks all runs of a table before the first one trains.

    Raises:
      ValueError: values do not go together, or a folder holds another run.
    """
    run_folder.check_holds_nothing_else(config.folder)
    runs, run = config.runs(), config.run
    task = {**config.texts(), "output_dir": str(config.folder)}
    distributed = distribution.get(run.distribute, run.worker_timeout, task)
    distributed.check_batch(run.batch_size)
    for run in runs:
        with contextlib.suppress(run_folder.DamagedFlagsError):  # named when its turn comes
            run_folder.holds(run.folder, run)
    images = None
    if any(folders.finished(run.folder) is None for run in runs):
        images = image_sets.load(runs[0])
        dataset = image_sets.select(runs[0], images)
        classifier = building.build_classifier(runs[0], dataset)
        for run in runs[:: config.seeds]:
            building.build_model(run, classifier, dataset)
    if distributed.is_chief:
        for run in runs:
            with contextlib.suppress(run_folder.DamagedFlagsError):
                run_folder.RunFolder(run.folder, run, alone=False)
    return TableRuns(distributed, runs, config.folder, images)
