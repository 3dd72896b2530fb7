"""How robust any classifier is: natural, random, worst-of-k, S-PGD, grid and attack accuracy."""

from spatial_keras.classifiers.loading import load
from spatial_keras.classifiers.outputs import NonFiniteError
from spatial_keras.evaluation.evaluator import Evaluator
from spatial_keras.evaluation.intervals import confidence_interval
from spatial_keras.evaluation.outcome import GridOutcome, Outcome, Profile
from spatial_keras.evaluation.sample import Sample
from spatial_keras.evaluation.summary import Report

__all__ = [
    "Evaluator",
    "GridOutcome",
    "NonFiniteError",
    "Outcome",
    "Profile",
    "Report",
    "Sample",
    "confidence_interval",
    "load",
]
