"""A training run as KerasTuner sees it."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any

import keras_tuner as kt

from spatial_keras import data, experiment
from spatial_keras.checkpoints import DivergedError
from spatial_keras.robust_model import RobustModel

# KerasTuner's name for what to maximize: grid accuracy.
OBJECTIVE = kt.Objective("grid", "max")
# Hyperband gives its trials a ninth, a third or all of the steps.
EPOCHS, FACTOR = 9, 3


@dataclasses.dataclass(frozen=True)
class Space:
    """What is chosen for each trial; None is not.

    Attributes:
      lambdas: the smallest and the largest weight of the regularizer, sampled logarithmically.
      learning_rates: likewise.
      ks: the k of Wo-k to choose from.
    """

    lambdas: tuple[float, float] | None = None
    learning_rates: tuple[float, float] | None = None
    ks: tuple[int, ...] | None = None


class ExperimentHyperModel(kt.HyperModel):
    """Builds and runs what train.py does, with some flags chosen by KerasTuner.

    Args:
      value: the values of all of the experiment's flags by name.
      space: what KerasTuner chooses instead.
      dataset: the images, with those to judge by held out.
    """

    def __init__(self, value: dict[str, Any], space: Space, dataset: data.Dataset) -> None:
        super().__init__(name="experiment")
        self._value, self._space, self._dataset = value, space, dataset

    def values(self, hp: kt.HyperParameters) -> dict[str, Any]:
        """Returns the values of the experiment's flags; numbers are chosen with three digits."""
        value, space = dict(self._value), self._space
        if space.lambdas:
            value["lambda"] = _round(hp.Float("lambda", *space.lambdas, sampling="log"))
        if space.learning_rates:
            rate = hp.Float("learning_rate", *space.learning_rates, sampling="log")
            value["learning_rate"] = _round(rate)
        if space.ks:
            k = hp.Choice("k", list(space.ks))
            value["defense"] = re.sub(r"^wo\d+", f"wo{k}", value["defense"])
        # A trial of fewer steps has the whole schedule of the learning rate in them; so Hyperband's
        # longer trials begin anew instead of going on from the shorter ones.
        epochs = hp.values.get("tuner/epochs", EPOCHS)
        value["steps"] = -(-value["steps"] * epochs // EPOCHS)
        return value

    def build(self, hp: kt.HyperParameters) -> RobustModel:
        """Returns the compiled model of the chosen values."""
        value = self.values(hp)
        return experiment.build_model(value, experiment.build_classifier(value, self._dataset))

    def fit(
        self, hp: kt.HyperParameters, model: RobustModel, folder: str | os.PathLike
    ) -> dict[str, float]:
        """Trains and evaluates in a folder; if it was begun there before, goes on.

        Returns:
          Natural, random and grid accuracy on the held-out images, in [0, 1]; 0 if it diverged.
        """
        value = {**self.values(hp), "output_dir": str(folder)}
        try:
            return experiment.from_values(value, self._dataset, model).run()["accuracies"]
        except DivergedError:
            return dict.fromkeys(("natural", "random", "grid"), 0.0)


def _round(number: float) -> float:
    return float(f"{number:.3g}")
