"""The configuration of a search with KerasTuner: what tune.py's flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.configuration.options import Config, nested, option
from spatial_keras.configuration.run_config import RunConfig, find_defense
from spatial_keras.configuration.run_options import MOST_CANDIDATES
from spatial_keras.support import validation

MAX_TRIALS = 20
# Hyperband gives its trials a ninth, a third or all of the steps.
EPOCHS, FACTOR = 9, 3
# Of the network's stages, where they have one.
WIDTH = 0.5
# Of the weights and learning rates to try: what nobody can mean is beyond.
_LARGEST = 1e6


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
        f"Trials of random and bayesian; default: {MAX_TRIALS}. Hyperband's plan has 23.",
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
    width: float | None = option(
        None,
        "Network",
        f"Multiplies the widths of the network's stages; default: {WIDTH:g}, and 1 for a model "
        "from a file, of the zoo or of Keras's.",
        low=0,
        most=64,
        exclusive_low=True,
    )
    output_dir: str | None = option(
        None,
        "Search",
        "Folder of the search and of its trials, in which the same command continues; default: "
        "runs/tune/DATASET.",
        is_path=True,
        recorded=False,
    )
    # A search is of many runs: they are short by default, minutes on a laptop.
    run: RunConfig = nested(
        RunConfig,
        without=("test_images", "profile_steps", "epochs"),
        model="resnet8",
        steps=800,
    )

    def check(self) -> None:
        """Raises ValueError if flags do not go together, or there is nothing to search."""
        for name in ("lambdas", "learning_rates"):
            values = getattr(self, name)
            if values and not values[0] < values[1]:
                text = ",".join(f"{value:g}" for value in values)
                raise ValueError(f"--{name} must be positive and ascending, got '{text}'.")
        self.check_effects()
        self.trial.check_effects()
        if self.tuner == "hyperband":
            # Its shortest trials have a ninth of them.
            validation.check_integer("--steps with --tuner=hyperband", self.run.steps, EPOCHS)
        if self.lambdas and self.run.lambda_ is not None:
            raise ValueError("give --lambda or --lambdas, not both.")
        if not (self.weights or self.learning_rates or self.ks):
            raise ValueError(
                f"there is nothing to search: defense '{self.run.defense}' with "
                f"--lambda={self.run.lambda_} has no weight to choose; give --learning_rates or "
                "--ks."
            )

    def without_effect(self) -> dict[str, str]:
        """Returns the fields that have no effect on the tuner or on the defense."""
        defense, reasons = find_defense(self.run.defense), {}
        if self.tuner == "hyperband":
            reasons["max_trials"] = "on --tuner=hyperband, whose plan is fixed"
        if defense.regularizer is None:
            reasons["lambdas"] = f"on defense '{defense.name}': no regularizer"
        if defense.number != "k":
            reasons["ks"] = f"on defense '{defense.name}': it has no k"
        return reasons

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the search and of its trials."""
        return pathlib.Path(self.output_dir or f"runs/tune/{self.run.dataset_name}")

    @property
    def weights(self) -> tuple[float, ...] | None:
        """The smallest and largest weight of the regularizer to try; None if it is not chosen."""
        defense = find_defense(self.run.defense)
        if self.lambdas or self.run.lambda_ is not None or not defense.regularizer:
            return self.lambdas
        return defense.regularizer_weight / 32, defense.regularizer_weight * 4

    @property
    def trial(self) -> RunConfig:
        """The configuration of a trial, before anything is chosen."""
        run, width = self.run, self.width
        if width is None:
            width = run.width if run.made_elsewhere else WIDTH
        return dataclasses.replace(
            run, width=width, validation_images=self.validation_images, output_dir=None
        )
