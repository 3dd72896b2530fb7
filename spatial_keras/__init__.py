"""Worst-case spatial transformations and invariance-inducing regularization for Keras.

An implementation of Yang, Wang, Heinze-Deml, "Invariance-inducing regularization using worst-case
transformations suffices to boost accuracy and spatial robustness", NeurIPS 2019.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from spatial_keras.support import environment  # before TensorFlow

if TYPE_CHECKING:
    from spatial_keras import callbacks, data, evaluation, models, zoo
    from spatial_keras.evaluation import testing
    from spatial_keras.geometry.transformations import TransformationSet
    from spatial_keras.geometry.warp import SpatialWarp
    from spatial_keras.training import defenses
    from spatial_keras.training.gradient_search import GradientSearch
    from spatial_keras.training.grid_search import GridSearch
    from spatial_keras.training.losses import KLInvariance, LogitInvariance, Objective
    from spatial_keras.training.robust_model import RobustModel
    from spatial_keras.training.search import Search
    from spatial_keras.training.worst_of_k import WorstOfK

__version__ = "0.2.0"

# Name -> its module.
_HOMES = {
    "GradientSearch": "training.gradient_search",
    "GridSearch": "training.grid_search",
    "KLInvariance": "training.losses",
    "LogitInvariance": "training.losses",
    "Objective": "training.losses",
    "RobustModel": "training.robust_model",
    "Search": "training.search",
    "SpatialWarp": "geometry.warp",
    "TransformationSet": "geometry.transformations",
    "WorstOfK": "training.worst_of_k",
    "callbacks": "callbacks",
    "data": "data",
    "defenses": "training.defenses",
    "evaluation": "evaluation",
    "models": "models",
    "testing": "evaluation.testing",
    "zoo": "zoo",
}
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
    "testing",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    globals()[name] = found = getattr(module, name, module)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# All of it, so that Keras knows the classes of saved models; but commands answer --help and
# mistakes without TensorFlow, which takes seconds to import.
if not environment.is_command():
    for _name in __all__:
        __getattr__(_name)
