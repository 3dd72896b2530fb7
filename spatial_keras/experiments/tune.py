"""A search with KerasTuner, from its configuration to its table and figure."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner as kt

from spatial_keras import figures
from spatial_keras.configuration import command_line
from spatial_keras.configuration.tune_config import EPOCHS, FACTOR, MAX_TRIALS, TuneConfig
from spatial_keras.experiments import (
    distribution,
    image_sets,
    run_folder,
    search_state,
    table,
)
from spatial_keras.experiments.hyper_model import OBJECTIVE, ExperimentHyperModel
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.results import folders
from spatial_keras.results.trials import Trial, Trials
from spatial_keras.support import files

FLAGS_FILE, BEST_FILE = run_folder.SEARCH_FLAGS_FILE, "best.flags"
# KerasTuner's environment variable: which process of several this is.
_PROCESS = "KERASTUNER_TUNER_ID"


class _Tuner(kt.Tuner):
    """Runs each trial in the folder where KerasTuner keeps its trial.json."""

    def __init__(self, say: Callable[[str], Any], **options: Any) -> None:
        self._say = say
        super().__init__(**options)

    def reload(self) -> None:
        """Has nothing to do: `search_state` has restored the oracle, which knows all."""

    def run_trial(self, trial: kt.engine.trial.Trial) -> dict[str, float]:
        hp, number = trial.hyperparameters, int(trial.trial_id) + 1
        chosen = ", ".join(f"{k} {v:.3g}" for k, v in hp.values.items() if "/" not in k)
        self._say(f"trial {number}: {chosen}")
        table.forget_models()
        try:
            model = self.hypermodel.build(hp)
            return self.hypermodel.fit(hp, model, self.get_trial_dir(trial.trial_id))
        except Exception as error:
            # KerasTuner would only note it in the trial's file, and continue.
            raise kt.errors.FatalRuntimeError(f"trial {number}: {error}") from error


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
      notes: what was found damaged in the folder, for people.
    """

    config: TuneConfig
    oracle: kt.Oracle
    hyper_model: ExperimentHyperModel
    folder: run_folder.RunFolder
    notes: Sequence[str] = ()

    def run(self, say: Callable[[str], Any]) -> Trials | None:
        """Runs all trials that have not ended, and writes table, figure and best.flags.

        Args:
          say: called with a line at each trial.

        Returns:
          The trials; None on a worker, where they are unknown: the chief has them.
        """
        for line in self.notes:
            say(line)
        tuner = _Tuner(
            say,
            oracle=self.oracle,
            hypermodel=self.hyper_model,
            directory=self.config.folder,
            project_name=".",
        )
        try:
            tuner.search()
            return self._found(tuner)
        finally:
            self.folder.close()

    def _found(self, tuner: kt.Tuner) -> Trials | None:
        if tuner.oracle is not self.oracle:  # KerasTuner put the chief's in its place
            return None
        trials = self._trials()
        self._write(trials)
        return trials

    def _trials(self) -> Trials:
        found, space = [], self.config.space
        for name, trial in self.oracle.trials.items():
            config = self.hyper_model.config(trial.hyperparameters)
            results = folders.finished(self.config.folder / f"trial_{name}")
            found.append(Trial(int(name) + 1, config, results))
        found.sort(key=lambda trial: trial.rank)
        chosen = {
            "lambda": space.lambdas,
            "learning_rate": space.learning_rates,
            "k": space.ks,
            "steps": self.config.tuner == "hyperband",
        }
        return Trials(found, [name for name, is_chosen in chosen.items() if is_chosen])

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
    run_folder.check(config.folder, config, FLAGS_FILE)
    run = config.trial
    if distribution.resolved(run.distribute) == "multi_worker":
        raise ValueError(
            "--distribute=multi_worker is not for a search: its trials are shared among machines "
            "by KerasTuner (KERASTUNER_TUNER_ID), each trial with --distribute=mirrored or none."
        )
    images = image_sets.load(run)
    image_sets.select(run, images)  # rejects what does not fit
    hyper_model = ExperimentHyperModel(run, config.space, images)
    space = kt.HyperParameters()
    hyper_model.build(space)  # rejects what does not fit
    # In KerasTuner's distributed mode several processes share the folder, and the chief chooses.
    process = os.environ.get(_PROCESS)
    folder = run_folder.RunFolder(config.folder, config, FLAGS_FILE, alone=process is None)
    try:
        is_worker = process is not None and "chief" not in process
        oracle, notes = (_oracle(config, space), []) if is_worker else _restored(config, space)
    except BaseException:
        folder.close()
        raise
    return Study(config, oracle, hyper_model, folder, notes)


def _restored(config: TuneConfig, space: kt.HyperParameters) -> tuple[kt.Oracle, list[str]]:
    """Returns what chooses the trials, as it was last, and what was found damaged."""
    oracle = _oracle(config, space)
    try:
        search_state.restore(oracle)
    except search_state.DamagedSearchError as error:
        # The choice depends on the seed and on results alone.
        again = "the trials are chosen again, and those that have finished are not trained again."
        return _oracle(config, space), [f"{error}: {again}"]
    return oracle, []


def _oracle(config: TuneConfig, space: kt.HyperParameters) -> kt.Oracle:
    options = {
        "objective": OBJECTIVE,
        "seed": config.run.seed + 1,  # 0 would be a random one
        "hyperparameters": space.copy(),
    }
    if config.tuner == "hyperband":
        kind = kt.oracles.HyperbandOracle
        options.update(max_epochs=EPOCHS, factor=FACTOR)
    else:
        kinds = {
            "random": kt.oracles.RandomSearchOracle,
            "bayesian": kt.oracles.BayesianOptimizationOracle,
        }
        kind = kinds[config.tuner]
        options["max_trials"] = config.max_trials or MAX_TRIALS
    return search_state.oracle(kind, config.folder, **options)
