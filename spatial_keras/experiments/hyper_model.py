"""A training run as KerasTuner sees it."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import keras_tuner as kt

from spatial_keras import data
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.tune_config import EPOCHS, TuneConfig
from spatial_keras.experiments import building, distribution, train
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.training.robust_model import RobustModel

# KerasTuner's name for what to maximize: grid accuracy.
OBJECTIVE = kt.Objective("grid", "max")


class ExperimentHyperModel(kt.HyperModel):
    """Builds and runs what train.py does, with some of its flags chosen by KerasTuner.

    Args:
      config: of the search.
      images: the data set.
    """

    def __init__(self, config: TuneConfig, images: data.Dataset) -> None:
        super().__init__(name="experiment")
        self._config, self._run, self._images = config, config.trial, images

    def chosen(self, hp: kt.HyperParameters) -> dict[str, float]:
        """Returns what is chosen for a trial, such as {"lambda": 1.23}; numbers have three digits.

        These are flags, "k" of the defense, and "steps" where they may be fewer than the run's.
        """
        values, config = {}, self._config
        for name, bounds in (("lambda", config.weights), ("learning_rate", config.learning_rates)):
            if bounds:
                values[name] = float(f"{hp.Float(name, *bounds, sampling='log'):.3g}")
        if config.ks:
            values["k"] = hp.Choice("k", list(config.ks))
        # A trial of fewer steps has the whole schedule of the learning rate in them; so Hyperband's
        # longer trials begin anew instead of continuing the shorter ones.
        if "tuner/epochs" in hp.values:
            values["steps"] = -(-self._run.steps * hp.values["tuner/epochs"] // EPOCHS)
        return values

    def config(self, hp: kt.HyperParameters) -> RunConfig:
        """Returns the configuration of a trial."""
        values: dict[str, Any] = self.chosen(hp)
        if "lambda" in values:
            values["lambda_"] = values.pop("lambda")
        if "k" in values:
            values["defense"] = self._run.row.with_number(values.pop("k")).name
        return dataclasses.replace(self._run, **values)

    def build(self, hp: kt.HyperParameters) -> RobustModel:
        """Returns the compiled model of the chosen values."""
        config = self.config(hp)
        with distribution.get(config.distribute).scope():
            classifier = building.build_classifier(config, self._images)
            return building.build_model(config, classifier, self._images)

    def fit(
        self, hp: kt.HyperParameters, model: RobustModel, folder: str | os.PathLike
    ) -> dict[str, float]:
        """Trains and evaluates in a folder; if it was begun there before, continues.

        Returns:
          Natural, random and grid accuracy on the held-out images, in [0, 1]; 0 if it diverged.
        """
        config = dataclasses.replace(self.config(hp), output_dir=str(folder))
        try:
            return train.prepare(config, self._images, model).run().accuracies.measured
        except DivergedError:
            return dict.fromkeys(("natural", "random", "grid"), 0.0)
