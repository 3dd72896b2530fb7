"""A training run as KerasTuner sees it."""

from __future__ import annotations

import dataclasses
import os

import keras_tuner as kt

from spatial_keras import data
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.tune_config import EPOCHS, Space
from spatial_keras.experiments import building, distribution, train
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.training.robust_model import RobustModel

# KerasTuner's name for what to maximize: grid accuracy.
OBJECTIVE = kt.Objective("grid", "max")


class ExperimentHyperModel(kt.HyperModel):
    """Builds and runs what train.py does, with some of its flags chosen by KerasTuner.

    Args:
      config: of the runs.
      space: what KerasTuner chooses instead.
      images: the data set.
    """

    def __init__(self, config: RunConfig, space: Space, images: data.Dataset) -> None:
        super().__init__(name="experiment")
        self._config, self._space, self._images = config, space, images

    def config(self, hp: kt.HyperParameters) -> RunConfig:
        """Returns the configuration of a trial; numbers are chosen with three digits."""
        chosen, space = {}, self._space
        if space.lambdas:
            chosen["lambda_"] = _round(hp.Float("lambda", *space.lambdas, sampling="log"))
        if space.learning_rates:
            rate = hp.Float("learning_rate", *space.learning_rates, sampling="log")
            chosen["learning_rate"] = _round(rate)
        if space.ks:
            k = hp.Choice("k", list(space.ks))
            chosen["defense"] = self._config.row.with_number(k).name
        # A trial of fewer steps has the whole schedule of the learning rate in them; so Hyperband's
        # longer trials begin anew instead of continuing the shorter ones.
        epochs = hp.values.get("tuner/epochs", EPOCHS)
        chosen["steps"] = -(-self._config.steps * epochs // EPOCHS)
        return dataclasses.replace(self._config, **chosen)

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
            return train.prepare(config, self._images, model).run()["accuracies"]
        except DivergedError:
            return dict.fromkeys(("natural", "random", "grid"), 0.0)


def _round(number: float) -> float:
    return float(f"{number:.3g}")
