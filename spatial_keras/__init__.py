"""Worst-case spatial transformations and invariance-inducing regularization for Keras.

An implementation of Yang, Wang, Heinze-Deml, "Invariance-inducing regularization using worst-case
transformations suffices to boost accuracy and spatial robustness", NeurIPS 2019.
"""

from spatial_keras.support import early_signals, environment  # noqa: F401 - before TensorFlow

# isort: split
from spatial_keras import callbacks, data, evaluation, models
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.training import defenses
from spatial_keras.training.gradient_search import GradientSearch
from spatial_keras.training.losses import KLInvariance, LogitInvariance, Objective
from spatial_keras.training.robust_model import RobustModel
from spatial_keras.training.search import GridSearch, Search, WorstOfK

__all__ = [
    "GradientSearch",
    "GridSearch",
    "KLInvariance",
    "LogitInvariance",
    "Objective",
    "RobustModel",
    "Search",
    "SpatialWarp",
    "TransformationSet",
    "WorstOfK",
    "callbacks",
    "data",
    "defenses",
    "evaluation",
    "models",
]
__version__ = "0.2.0"
