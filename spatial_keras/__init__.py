"""Worst-case spatial transformations and invariance-inducing regularization for Keras.

An implementation of Yang, Wang, Heinze-Deml, "Invariance-inducing regularization using worst-case
transformations suffices to boost accuracy and spatial robustness", NeurIPS 2019.
"""

from spatial_keras import callbacks, data, defenses, evaluation, models
from spatial_keras.gradient_search import GradientSearch
from spatial_keras.losses import KLInvariance, LogitInvariance, Objective
from spatial_keras.robust_model import RobustModel
from spatial_keras.search import GridSearch, Search, WorstOfK
from spatial_keras.transformations import TransformationSet
from spatial_keras.warp import SpatialWarp

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
__version__ = "0.1.0"
