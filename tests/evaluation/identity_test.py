"""An outcome is taken over by the evaluation that it is of, and by no other."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.evaluation import Evaluator
from tests import evaluation_cases as cases


@pytest.fixture(name="case", scope="module")
def make_case():
    classifier, images = cases.network(), cases.images()
    return classifier, images, cases.labels(classifier, images)


def evaluate(case, classifier=None, **options):
    model, images, labels = case
    options = {"transformations": cases.BOX, "batch_size": 8, **options}
    return Evaluator(classifier or model, images, labels, **options)


def scaled(model, factor):
    return lambda images: factor * model(images)


@pytest.mark.parametrize("change", ["classifier", "function", "images", "weights"])
def test_an_outcome_of_another_evaluator_is_refused(case, change):
    classifier, images, labels = case
    twin = tf.keras.models.clone_model(classifier)
    twin.set_weights(classifier.get_weights())
    given = scaled(classifier, 1) if change == "function" else twin
    other = {
        "classifier": cases.network(activation="tanh"), "function": scaled(classifier, -1),
    }.get(change, given)  # fmt: skip
    first = evaluate((given, images, labels))
    natural, grid = first.natural(), first.grid((1, 1, 3))
    second = evaluate((other, 255 - images if change == "images" else images, labels))
    if change == "weights":
        twin.layers[-1].bias.assign([0, 0, 1e-3])
    for evaluator in [second] if change != "weights" else [first, second]:
        with pytest.raises(ValueError, match="'natural' must be an outcome of this evaluator"):
            evaluator.grid((1, 1, 3), natural)
        with pytest.raises(ValueError, match="'grid_outcome' must be an outcome of this"):
            evaluator.attack(grid)


def test_a_begun_grid_of_another_function_is_refused(case, monkeypatch, tmp_path):
    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spatial_keras.evaluation.grid._SECONDS_BETWEEN_SAVES", -1)
    classifier = case[0]
    first, second = (evaluate(case, scaled(classifier, factor)) for factor in (1, 2))
    partial = tmp_path / "state.npz"
    calls = iter([None, kill])
    with pytest.raises(KeyboardInterrupt):
        first.grid((1, 1, 5), partial=partial, on_progress=lambda *_: (next(calls) or str)())
    with pytest.raises(ValueError, match="begun with another classifier"):
        second.grid((1, 1, 5), partial=partial)
    expected = evaluate(case).grid((1, 1, 5))
    found = evaluate(case, scaled(classifier, 1)).grid((1, 1, 5), partial=partial)
    np.testing.assert_array_equal(found.right, expected.right)
