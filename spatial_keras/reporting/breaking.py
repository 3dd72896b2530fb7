"""Images that break: which of them to show, and pictures of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatial_keras import data, figures
from spatial_keras.evaluation import Evaluator
from spatial_keras.reporting import markup
from spatial_keras.results.evaluations import Evaluated
from spatial_keras.support import files

# So many images can be explored, of which so many break where there are as many.
_EXPLORED, _BREAKING = 12, 9
_DRAWN = 8
_BREAK = (
    "Test images above what they become where they break, with the predictions of {}.",
    "Images that {} has right as they are, above the smallest transformations found that break "
    "them; over each the prediction.",
)
_CONTRAST = (
    "Test images above what they become under a transformation that A has wrong and B right.",
    "Images that both have right as they are, and B under all transformations tried. Below: the "
    "smallest transformation found that breaks A, with the prediction of each.",
)


def broken(one: Evaluated, evaluator: Evaluator) -> markup.Picture | None:
    """Returns a picture of images that a classifier has right as they are, and where they break."""
    smallest = _smallest(one)
    candidates = np.flatnonzero(_natural(one) & ~np.isnan(smallest[:, 0]))
    if not len(candidates):
        return None
    chosen = _Chosen(evaluator, candidates, smallest)
    box = evaluator.transformations
    natural = chosen.predictions(evaluator, np.tile(box.identity, [len(chosen.numbers), 1]))
    there = chosen.predictions(evaluator)
    drawn = figures.examples(
        chosen.images, chosen.turned, chosen.captions, chosen.labels, natural, there
    )
    alt, caption = (text.format(one.found["classifier"]) for text in _BREAK)
    return markup.Picture("png", figures.to_png(drawn), alt, caption, wide=True)


def contrasted(found: Sequence[Evaluated], loaded: Sequence[Evaluator]) -> markup.Picture | None:
    """Returns a picture of images that the first of two breaks, and the second does not."""
    drawn = contrast(found, loaded, ("A", "B"))
    if drawn is None:
        return None
    return markup.Picture("png", figures.to_png(drawn), *_CONTRAST, wide=True)


def contrast(
    found: Sequence[Evaluated], loaded: Sequence[Evaluator], names: Sequence[str]
) -> figures.Figure | None:
    """Draws images that two classifiers have right, and the least that breaks the first alone.

    Args:
      found: what their evaluations wrote.
      loaded: of these evaluations.
      names: of the classifiers.

    Returns:
      None if the second one breaks wherever the first does.
    """
    (first, second), (natural, other) = map(_smallest, found), map(_natural, found)
    alone = ~np.isnan(first[:, 0]) & np.isnan(second[:, 0])
    candidates = np.flatnonzero(natural & other & alone)
    if not len(candidates):
        return None
    # Of each class the image that breaks under the least.
    sizes = loaded[0].transformations.sizes(first[candidates])
    chosen = _Chosen(loaded[0], candidates[np.argsort(sizes, kind="stable")], first)
    said = {name: chosen.predictions(evaluator) for name, evaluator in zip(names, loaded)}
    return figures.contrast(chosen.images, chosen.turned, chosen.captions, chosen.labels, said)


def _smallest(one: Evaluated) -> np.ndarray:
    """Returns the smallest transformations that break images, float32 [n, axes]; NaN if none."""
    return np.stack(list(one.smallest.values()), axis=-1).astype(np.float32)


def _natural(one: Evaluated) -> np.ndarray:
    """Returns which images are right as they are; all where that was not measured."""
    return one.right.get("natural", np.ones(len(one.labels))) == 1


class _Chosen:
    """A few images across the classes, each with a transformation that breaks it."""

    def __init__(self, evaluator: Evaluator, candidates: np.ndarray, smallest: np.ndarray) -> None:
        labels = evaluator.labels
        self.numbers = candidates[data.across_classes(labels[candidates], _DRAWN)]
        self.parameters = smallest[self.numbers]
        self.images = np.asarray(evaluator.images[self.numbers], np.float32)
        self.turned = evaluator.warp(self.images, self.parameters).numpy()
        self.captions = [evaluator.transformations.caption(row) for row in self.parameters]
        self._class_names = class_names(evaluator)
        self.labels = [self._class_names[label] for label in labels[self.numbers]]

    def predictions(self, evaluator: Evaluator, parameters: np.ndarray | None = None) -> list[str]:
        """Returns the names of the classes predicted, transformed or as they are."""
        parameters = self.parameters if parameters is None else parameters
        said = evaluator.judge(self.numbers, parameters).predictions
        return [self._class_names[prediction] for prediction in said]


def class_names(evaluator: Evaluator) -> Sequence[str]:
    """Returns the names of the classes, as they may be shown."""
    return [files.presentable(name) for name in evaluator.sample.class_names]


def to_explore(found: Sequence[Evaluated], labels: np.ndarray) -> np.ndarray:
    """Returns images for the explorer, across the classes: first of those that break."""
    natural = np.all([_natural(one) for one in found], axis=0)
    standing = np.all([np.isnan(_smallest(one)[:, 0]) for one in found], axis=0)
    kinds = (natural & ~standing, natural & standing, ~natural)
    breaking, robust, wrong = (
        places[data.across_classes(labels[places], _EXPLORED)]
        for places in map(np.flatnonzero, kinds)
    )
    kept = max(_BREAKING, _EXPLORED - len(robust))
    return np.concatenate([breaking[:kept], robust, breaking[kept:], wrong])[:_EXPLORED]
