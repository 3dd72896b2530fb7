"""The paper's figures and pictures of examples: matplotlib on plain arrays, no network in here."""

from matplotlib.figure import Figure

from spatial_keras.figures.accuracy import (
    Curve,
    cost,
    lambda_curves,
    sample_efficiency,
    training_cost,
)
from spatial_keras.figures.axes import along_axes, along_two_axes
from spatial_keras.figures.images import contrast, examples, failures, rotations
from spatial_keras.figures.style import RIGHT, WRONG, save, to_png, to_svg
from spatial_keras.figures.trade_off import Adversary, no_trade_off

__all__ = [
    "RIGHT",
    "WRONG",
    "Adversary",
    "Curve",
    "Figure",
    "along_axes",
    "along_two_axes",
    "contrast",
    "cost",
    "examples",
    "failures",
    "lambda_curves",
    "no_trade_off",
    "rotations",
    "sample_efficiency",
    "save",
    "to_png",
    "to_svg",
    "training_cost",
]
