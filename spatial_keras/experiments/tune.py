"""A search with KerasTuner, from its configuration to its table and figure."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner as kt

from spatial_keras import figures
from spatial_keras.configuration import command_line
from spatial_keras.configuration.options import Config, nested, option
from spatial_keras.configuration.run_config import MOST_CANDIDATES, RunConfig
from spatial_keras.experiments import distribution, run_folder, search_state, table, train
from spatial_keras.experiments.checkpoints import DivergedError
from spatial_keras.experiments.hyper_model import (
    EPOCHS,
    FACTOR,
    OBJECTIVE,
    ExperimentHyperModel,
    Space,
)
from spatial_keras.results import folders
from spatial_keras.results.trials import Trial, Trials
from spatial_keras.support import files, validation
from spatial_keras.training import defenses

FLAGS_FILE, BEST_FILE = run_folder.SEARCH_FLAGS_FILE, "best.flags"
_MAX_TRIALS = 20
# Of the weights and learning rates to try: what nobody can mean is beyond.
_LARGEST = 1e6
# KerasTuner's environment variable: which process of several this is.
_PROCESS = "KERASTUNER_TUNER_ID"


@dataclasses.dataclass(frozen=True)
class TuneConfig(Config):
    """A search; each field is a flag of tune.py, beside those of its trials."""

    tuner: str = option(
        "random",
        "Search",
        "How KerasTuner chooses the trials.",
        choices=("random", "hyperband", "bayesian"),
    )
    max_trials: int | None = option(
        None,
        "Search",
        f"Trials of random and bayesian; default: {_MAX_TRIALS}. Hyperband's plan has 23.",
        low=1,
        most=10_000,
        recorded=False,
    )
    lambdas: tuple[float, ...] | None = option(
        None,
        "Search",
        "Smallest and largest weight of the regularizer to try, e.g. 0.25,32; default: a 32nd of "
        "the paper's and 4 times that, unless --lambda gives one.",
        count=2,
        low=0,
        most=_LARGEST,
        exclusive_low=True,
    )
    learning_rates: tuple[float, ...] | None = option(
        None,
        "Search",
        "Smallest and largest learning rate to try, e.g. 0.03,0.3; default: --learning_rate.",
        count=2,
        low=0,
        most=_LARGEST,
        exclusive_low=True,
    )
    ks: tuple[int, ...] | None = option(
        None,
        "Search",
        "The k of Wo-k to choose from, e.g. 1,5,10; default: that of --defense.",
        low=1,
        most=MOST_CANDIDATES,
        distinct=True,
    )
    validation_images: int = option(
        300,
        "Search",
        "Training images to hold out and judge the trials by; never the test images.",
        low=1,
    )
    output_dir: str | None = option(
        None,
        "Search",
        "Folder of the search and of its trials, in which the same command continues; default: "
        "runs/tune/DATASET.",
        recorded=False,
    )
    # A search is of many runs: they are short by default, minutes on a laptop.
    run: RunConfig = nested(
        RunConfig,
        without=("test_images", "profile_steps"),
        model="resnet8",
        width=0.5,
        steps=800,
    )

    def check(self) -> None:
        """Raises ValueError if flags do not go together, or there is nothing to search."""
        for name in ("lambdas", "learning_rates"):
            values = getattr(self, name)
            if values and not values[0] < values[1]:
                text = ",".join(f"{value:g}" for value in values)
                raise ValueError(f"--{name} must be positive and ascending, got '{text}'.")
        if self.tuner == "hyperband" and self.max_trials is not None:
            raise ValueError(
                "--max_trials has no effect on --tuner=hyperband, whose plan is fixed."
            )
        if self.tuner == "hyperband":
            # Its shortest trials have a ninth of them.
            validation.check_integer("--steps with --tuner=hyperband", self.run.steps, EPOCHS)
        defense = defenses.get(self.run.defense)
        if self.lambdas and self.run.lambda_ is not None:
            raise ValueError("give --lambda or --lambdas, not both.")
        if self.lambdas and not defense.regularizer:
            raise ValueError(
                f"--lambdas has no effect on defense '{defense.name}': no regularizer."
            )
        if self.ks and not defense.name.startswith("wo"):
            raise ValueError(f"--ks has no effect on defense '{defense.name}': it has no k.")
        if self.space == Space():
            raise ValueError(
                f"there is nothing to search: defense '{defense.name}' with "
                f"--lambda={self.run.lambda_} has no weight to choose; give --learning_rates or "
                "--ks."
            )

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the search and of its trials."""
        return pathlib.Path(self.output_dir or f"runs/tune/{self.run.dataset_name}")

    @property
    def space(self) -> Space:
        """What is chosen for each trial."""
        defense, lambdas = defenses.get(self.run.defense), self.lambdas
        if defense.regularizer and self.run.lambda_ is None and not lambdas:
            lambdas = (defense.regularizer_weight / 32, defense.regularizer_weight * 4)
        return Space(lambdas, self.learning_rates, self.ks)

    @property
    def trial(self) -> RunConfig:
        """The configuration of a trial, before anything is chosen."""
        return dataclasses.replace(
            self.run, validation_images=self.validation_images, output_dir=None
        )


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
    images = train.load_images(run)
    train.select_images(run, images)  # rejects what does not fit
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
        options["max_trials"] = config.max_trials or _MAX_TRIALS
    return search_state.oracle(kind, config.folder, **options)
