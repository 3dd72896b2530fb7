"""A search from flags to its table and figure."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import keras_tuner as kt
from absl import flags

from spatial_keras import (
    command_line,
    comparison,
    defenses,
    experiment,
    figures,
    files,
    run_folder,
    validation,
)
from spatial_keras.tuning.hyper_model import (
    EPOCHS,
    FACTOR,
    OBJECTIVE,
    ExperimentHyperModel,
    Space,
)
from spatial_keras.tuning.trials import Trial, Trials

FLAGS_FILE, BEST_FILE = "search.flags", "best.flags"
# Flags of an experiment that a search has no use for, or has in a form of its own.
_OTHERS = ("test_images", "validation_images", "profile_steps", "output_dir")
# What may change when a search goes on.
_UNRECORDED = ("max_trials", "data_dir", "output_dir")
_MAX_TRIALS = 20
# A search is of many runs: they are short by default, minutes on a laptop.
_DEFAULTS = {"model": "resnet8", "width": 0.5, "steps": 800}

# Group, as --help shows them -> (kind, name, default, [choices,] what it is).
FLAGS = {
    "Search": (
        (flags.DEFINE_enum, "tuner", "random", ["random", "hyperband", "bayesian"],
         "How KerasTuner chooses the trials."),
        (flags.DEFINE_integer, "max_trials", None,
         f"Trials of random and bayesian; default: {_MAX_TRIALS}. Hyperband's plan has 23."),
        (flags.DEFINE_string, "lambdas", None,
         "Smallest and largest weight of the regularizer to try, e.g. 0.25,32; default: a 32nd of "
         "the paper's and 4 times that, unless --lambda gives one."),
        (flags.DEFINE_string, "learning_rates", None,
         "Smallest and largest learning rate to try, e.g. 0.03,0.3; default: --learning_rate."),
        (flags.DEFINE_string, "ks", None,
         "The k of Wo-k to choose from, e.g. 1,5,10; default: that of --defense."),
        (flags.DEFINE_integer, "validation_images", 300,
         "Training images to hold out and judge the trials by; never the test images."),
        (flags.DEFINE_string, "output_dir", None,
         "Folder of the search and of its trials, in which the same command goes on; default: "
         "runs/tune/DATASET."),
    ),
    **{
        group: tuple(
            (kind, name, _DEFAULTS.get(name, default), *rest)
            for kind, name, default, *rest in definitions
            if name not in _OTHERS
        )
        for group, definitions in experiment.FLAGS.items()
    },
}  # fmt: skip


class _Tuner(kt.Tuner):
    """Runs each trial in the folder where KerasTuner keeps its trial.json."""

    def __init__(self, say: Callable[[str], Any], **options: Any) -> None:
        self._say = say
        super().__init__(**options)

    def run_trial(self, trial: kt.engine.trial.Trial) -> dict[str, float]:
        hp, number = trial.hyperparameters, int(trial.trial_id) + 1
        chosen = ", ".join(f"{k} {v:.3g}" for k, v in hp.values.items() if "/" not in k)
        self._say(f"trial {number}: {chosen}")
        comparison.forget_models()
        try:
            model = self.hypermodel.build(hp)
            return self.hypermodel.fit(hp, model, self.get_trial_dir(trial.trial_id))
        except Exception as error:
            # KerasTuner would only note it in the trial's file, and go on.
            raise kt.errors.FatalRuntimeError(f"trial {number}: {error}") from error


@dataclasses.dataclass
class Study:
    """A search, ready to start or to go on.

    In KerasTuner's distributed mode, which environment variables turn on, the process of the chief
    chooses the trials and those of the workers run them.

    Attributes:
      value: the values of the experiment's flags by name.
      space: what is chosen.
      oracle: chooses.
      hyper_model: runs the trials.
      folder: of the search; each trial has a folder in it.
    """

    value: dict[str, Any]
    space: Space
    oracle: kt.Oracle
    hyper_model: ExperimentHyperModel
    folder: pathlib.Path

    def run(self, say: Callable[[str], Any]) -> Trials | None:
        """Runs all trials that have not ended, and writes table, figure and best.flags.

        Args:
          say: called with a line at each trial.

        Returns:
          The trials; None on a worker, where they are unknown: the chief has them.
        """
        tuner = _Tuner(
            say, oracle=self.oracle, hypermodel=self.hyper_model,
            directory=self.folder.parent, project_name=self.folder.name,
        )  # fmt: skip
        tuner.search()
        if tuner.oracle is not self.oracle:  # KerasTuner put the chief's in its place
            return None
        trials = self._trials()
        self._write(trials)
        return trials

    def _trials(self) -> Trials:
        found = []
        for name, trial in self.oracle.trials.items():
            value = self.hyper_model.values(trial.hyperparameters)
            results = run_folder.read_results(self.folder / f"trial_{name}")
            found.append(Trial(int(name) + 1, value, results))
        found.sort(key=lambda trial: trial.rank)
        chosen = {
            "lambda": self.space.lambdas, "learning_rate": self.space.learning_rates,
            "k": self.space.ks, "steps": isinstance(self.oracle, kt.oracles.HyperbandOracle),
        }  # fmt: skip
        return Trials(found, [name for name, is_chosen in chosen.items() if is_chosen])

    def _write(self, trials: Trials) -> None:
        caption = (
            f"Network: {self.value['model']}, width {self.value['width']:g}; "
            f"{self.value['steps']:,} steps; accuracies on {self.value['validation_images']:,} "
            "held-out training images."
        )
        title = f"{self.value['defense']} on {self.value['dataset']}: the trials of a search"
        files.write_text(self.folder / "table.md", trials.to_markdown(title, caption))
        files.write_text(self.folder / "table.csv", trials.to_csv())
        curves = trials.curves()
        if curves:
            figures.save(figures.lambda_curves(curves), self.folder, "lambda")
        best = {**trials.trials[0].value, "steps": self.value["steps"], "validation_images": None}
        text = run_folder.flagfile(experiment.settings(best))
        files.write_text(self.folder / BEST_FILE, text)


def prepare(flag_values: flags.FlagValues = flags.FLAGS) -> Study:
    """Checks the search that the flags describe, and builds what runs it.

    Raises:
      ValueError: a flag's value is not allowed, or flags do not go together.
    """
    value = command_line.values(FLAGS, flag_values)
    folder = pathlib.Path(value["output_dir"] or f"runs/tune/{value['dataset']}")
    space, oracle = _space(value), _oracle(value)
    run = _experiment(value)
    recorded = {k: v for k, v in value.items() if k not in _UNRECORDED}
    run_folder.check(folder, experiment.settings(recorded), FLAGS_FILE)
    experiment.check(run)
    dataset = experiment.load_images(run)
    hyper_model = ExperimentHyperModel(run, space, dataset)
    hyper_model.build(kt.HyperParameters())  # refuses
    run_folder.RunFolder(folder, experiment.settings(recorded), FLAGS_FILE)
    return Study(run, space, oracle, hyper_model, folder)


def _space(value: dict[str, Any]) -> Space:
    defense = defenses.get(value["defense"])
    lambdas = _range("lambdas", value["lambdas"])
    if lambdas and value["lambda"] is not None:
        raise ValueError("give --lambda or --lambdas, not both.")
    if lambdas and not defense.regularizer:
        raise ValueError(f"--lambdas has no effect on defense '{defense.name}': no regularizer.")
    if defense.regularizer and value["lambda"] is None and not lambdas:
        lambdas = (defense.regularizer_weight / 32, defense.regularizer_weight * 4)
    ks = None
    if value["ks"] is not None:
        if not defense.name.startswith("wo"):
            raise ValueError(f"--ks has no effect on defense '{defense.name}': it has no k.")
        ks = tuple(command_line.numbers("ks", value["ks"], int))
        validation.check_integer("the least of --ks", min(ks), 1)
    space = Space(lambdas, _range("learning_rates", value["learning_rates"]), ks)
    if space == Space():
        raise ValueError(
            f"there is nothing to search: defense '{defense.name}' with --lambda={value['lambda']} "
            "has no weight to choose; give --learning_rates or --ks."
        )
    return space


def _range(name: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, high = command_line.numbers(name, text, float, 2)
    if not 0 < low < high:
        raise ValueError(f"--{name} must be positive and ascending, got '{text}'.")
    return low, high


def _oracle(value: dict[str, Any]) -> kt.Oracle:
    options = {"objective": OBJECTIVE, "seed": value["seed"] + 1}  # 0 would be a random one
    if value["tuner"] == "hyperband":
        if value["max_trials"] is not None:
            raise ValueError(
                "--max_trials has no effect on --tuner=hyperband, whose plan is fixed."
            )
        oracle = kt.oracles.HyperbandOracle(max_epochs=EPOCHS, factor=FACTOR, **options)
    else:
        number = _MAX_TRIALS if value["max_trials"] is None else value["max_trials"]
        validation.check_integer("--max_trials", number, 1)
        kinds = {
            "random": kt.oracles.RandomSearchOracle,
            "bayesian": kt.oracles.BayesianOptimizationOracle,
        }
        oracle = kinds[value["tuner"]](max_trials=number, **options)
    oracle.verbose = 0
    return oracle


def _experiment(value: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of the experiment's flags."""
    names = command_line.names(experiment.FLAGS)
    return {**{name: value.get(name) for name in names}, "output_dir": None}
