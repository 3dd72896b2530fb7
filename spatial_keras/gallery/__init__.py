"""The paper's figures from the folders of runs."""

from spatial_keras.gallery.drawing import (
    FIGURES,
    FLAGS,
    Gallery,
    ImpossibleError,
    lambda_curve,
    prepare,
)

__all__ = ["FIGURES", "FLAGS", "Gallery", "ImpossibleError", "lambda_curve", "prepare"]
