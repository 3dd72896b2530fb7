"""The paper's figures from the folders of runs."""

from spatial_keras.gallery.drawing import FIGURES, FLAGS, Gallery, ImpossibleError, prepare

__all__ = ["FIGURES", "FLAGS", "Gallery", "ImpossibleError", "prepare"]
