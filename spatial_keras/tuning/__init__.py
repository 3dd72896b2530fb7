"""KerasTuner over the regularizer's weight, the learning rate and k."""

from spatial_keras.tuning.hyper_model import ExperimentHyperModel, Space
from spatial_keras.tuning.study import BEST_FILE, FLAGS, Study, prepare
from spatial_keras.tuning.trials import Trial, Trials

__all__ = [
    "BEST_FILE",
    "FLAGS",
    "ExperimentHyperModel",
    "Space",
    "Study",
    "Trial",
    "Trials",
    "prepare",
]
