"""The paper's set and all that is computed with it stay what they were.

`reference/default_set.npz` holds the numbers of the version in which (tx, ty, rotation) were fixed
columns. Drawn and listed parameters are the same bit for bit; images and losses to rounding, which
differs between processors.
"""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet, evaluation
from spatial_keras.training import defenses
from tests import evaluation_cases as cases

REFERENCE = np.load(pathlib.Path(__file__).parent / "reference" / "default_set.npz")
EXACT = ("grid", "draws", "whole_pixels", "worst_points", "broken")


def listed():
    box = TransformationSet()
    return {
        "grid": box.grid(),
        "draws": box.sample_batch([3, 4], 7, [5]),
        "whole_pixels": box.sample_batch([3, 4], 7, [5], whole_pixels=True),
    }


def warped():
    images = np.random.default_rng(0).integers(0, 256, [3, 9, 14, 1]).astype(np.float32)
    parameters = TransformationSet(3, 3, 180).sample([1, 1], [3, 2])
    return {
        f"{composition}_{implementation}": SpatialWarp(implementation, composition)(
            images, parameters
        )
        for composition in ("sequential", "joint")
        for implementation in ("op", "gather")
    }


def evaluated():
    classifier, images = cases.network(), cases.images()
    labels = cases.labels(classifier, images)
    evaluator = evaluation.Evaluator(classifier, images, labels, transformations=cases.BOX)
    grid = evaluator.grid((3, 3, 5))
    return {
        "broken": ~grid.right,
        "worst_points": grid.transformations[grid.right],
        "margins": grid.margins[grid.right],
    }


def trained():
    classifier, images = cases.network(), cases.images()
    model = defenses.get("wo3_kl").build(classifier, cases.BOX)
    model.compile(tf.keras.optimizers.SGD(0.01), jit_compile=False)
    labels = cases.labels(classifier, images)
    logs = model.fit(images, labels, batch_size=len(images), shuffle=False, verbose=0).history
    kernel, bias = classifier.get_weights()
    return {"loss": logs["loss"][0], "kernel": kernel, "bias": bias}


@pytest.mark.parametrize("compute", [listed, warped, evaluated, trained])
def test_numbers_are_those_of_before(compute):
    for name, value in compute().items():
        if name in EXACT:
            np.testing.assert_array_equal(value, REFERENCE[name], name)
        else:
            np.testing.assert_allclose(value, REFERENCE[name], 1e-5, 1e-3, err_msg=name)
