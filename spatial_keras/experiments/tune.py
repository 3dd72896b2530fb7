"""A search with KerasTuner, from its configuration to its table and figure.

KerasTuner chooses from the seed and from results alone, and a trial's folder is named by what is
chosen. So a search that was killed is begun again: it chooses the same trials, of which those that
have finished are there, and nothing of KerasTuner's own is kept or read.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import keras_tuner as kt

from spatial_keras import figures
from spatial_keras.configuration import command_line
from spatial_keras.configuration.tune_config import EPOCHS, FACTOR, MAX_TRIALS, TuneConfig
from spatial_keras.experiments import distribution, image_sets, run_folder, table
from spatial_keras.experiments.hyper_model import OBJECTIVE, ExperimentHyperModel
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.results import folders
from spatial_keras.results.trials import Trial, Trials
from spatial_keras.support import files

FLAGS_FILE, BEST_FILE = run_folder.SEARCH_FLAGS_FILE, "best.flags"
# KerasTuner's environment variable: which process of several this is.
_PROCESS = "KERASTUNER_TUNER_ID"


class _Tuner(kt.Tuner):
    """Runs trials, or takes their results where they have finished before."""

    def __init__(self, folder: pathlib.Path, say: Callable[[str], Any], **options: Any) -> None:
        self._folder, self._say = folder, say
        super().__init__(**options)

    def run_trial(self, trial: kt.engine.trial.Trial) -> dict[str, float]:
        hp = trial.hyperparameters
        chosen = self.hypermodel.chosen(hp)
        words = ", ".join(f"{name} {value:g}" for name, value in chosen.items())
        line, folder = f"trial {_number(trial)}: {words}", _trial_folder(self._folder, chosen)
        results = folders.finished(folder)
        if results is not None:
            self._say(f"{line}, finished before")
            return results.accuracies.measured
        self._say(line)
        table.forget_models()
        try:
            return self.hypermodel.fit(hp, self.hypermodel.build(hp), folder)
        except Exception as error:
            # KerasTuner would only note it in a file, and continue.
            raise kt.errors.FatalRuntimeError(f"trial {_number(trial)}: {error}") from error


@dataclasses.dataclass
class Study:
    """A search, ready to start or to continue.

    In KerasTuner's distributed mode, which environment variables turn on, the process of the chief
    chooses the trials and those of the workers run them.

    Attributes:
      config: what is searched.
      oracle: chooses.
      hyper_model: runs the trials.
      folder: of the search.
    """

    config: TuneConfig
    oracle: kt.Oracle
    hyper_model: ExperimentHyperModel
    folder: run_folder.RunFolder

    def run(self, say: Callable[[str], Any]) -> Trials | None:
        """Runs all trials that have not ended, and writes table, figure and best.flags.

        Args:
          say: called with a line at each trial.

        Returns:
          The trials; None on a worker, where they are unknown: the chief has them.
        """
        try:
            with tempfile.TemporaryDirectory() as kept:  # KerasTuner's, of no use later
                options = {"oracle": self.oracle, "hypermodel": self.hyper_model}
                tuner = _Tuner(self.folder.path, say, directory=kept, **options)
                tuner.search()
            if tuner.oracle is not self.oracle:  # KerasTuner put the chief's in its place
                return None
            trials = self._trials()
            self._write(trials)
            return trials
        finally:
            self.folder.close()

    def _trials(self) -> Trials:
        found, names = [], {}
        for trial in self.oracle.trials.values():
            chosen = self.hyper_model.chosen(trial.hyperparameters)
            names.update(chosen)
            results = folders.finished(_trial_folder(self.folder.path, chosen))
            config = self.hyper_model.config(trial.hyperparameters)
            found.append(Trial(_number(trial), config, results))
        return Trials(sorted(found, key=lambda trial: trial.rank), list(names))

    def _write(self, trials: Trials) -> None:
        run, folder = self.config.trial, self.config.folder
        caption = (
            f"Network: {run.model}, width {run.width:g}; {run.steps:,} steps; accuracies on "
            f"{run.validation_images:,} held-out training images."
        )
        title = f"{run.defense} on {run.dataset}: the trials of a search"
        if all(trial.results is None for trial in trials.trials):
            (folder / BEST_FILE).unlink(missing_ok=True)
            raise DivergedError("all trials diverged; try smaller --learning_rates.")
        files.write_text(folder / "table.md", trials.to_markdown(title, caption))
        files.write_text(folder / "table.csv", trials.to_csv())
        curves = trials.curves()
        if curves:
            figures.save(figures.lambda_curves(curves), folder, "lambda")
        best = dataclasses.replace(trials.trials[0].config, steps=run.steps, validation_images=None)
        files.write_text(folder / BEST_FILE, command_line.flagfile(best))


def prepare(config: TuneConfig) -> Study:
    """Checks a search before its first trial, and builds what runs it.

    Raises:
      ValueError: values do not go together, or the folder holds another search.
    """
    run_folder.holds(config.folder, config, FLAGS_FILE)
    run = config.trial
    if distribution.resolved(run.distribute) == "multi_worker":
        raise ValueError(
            "--distribute=multi_worker is not for a search: its trials are shared among machines "
            "by KerasTuner (KERASTUNER_TUNER_ID), each trial with --distribute=mirrored or none."
        )
    images = image_sets.load(run)
    image_sets.select(run, images)  # rejects what does not fit
    hyper_model = ExperimentHyperModel(config, images)
    space = kt.HyperParameters()
    hyper_model.build(space)  # rejects what does not fit
    # In KerasTuner's distributed mode several processes share the folder.
    alone = _PROCESS not in os.environ
    folder = run_folder.RunFolder(config.folder, config, FLAGS_FILE, alone)
    return Study(config, _oracle(config, space), hyper_model, folder)


def _oracle(config: TuneConfig, space: kt.HyperParameters) -> kt.Oracle:
    options = {
        "objective": OBJECTIVE,
        "seed": config.run.seed + 1,  # 0 would be a random one
        "hyperparameters": space,
    }
    if config.tuner == "hyperband":
        oracle = kt.oracles.HyperbandOracle(max_epochs=EPOCHS, factor=FACTOR, **options)
    else:
        kinds = {
            "random": kt.oracles.RandomSearchOracle,
            "bayesian": kt.oracles.BayesianOptimizationOracle,
        }
        oracle = kinds[config.tuner](max_trials=config.max_trials or MAX_TRIALS, **options)
    oracle.verbose = 0
    return oracle


def _number(trial: kt.engine.trial.Trial) -> int:
    return int(trial.trial_id) + 1


def _trial_folder(folder: pathlib.Path, chosen: dict[str, float]) -> pathlib.Path:
    name = "_".join(f"{name}{value:g}" for name, value in chosen.items())
    return folder / f"trial_{name}"
