"""ART and ours are clients of each other: the same accuracies, the same worst translation."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from tests import evaluation_cases as cases

# ART names what it misses for PyTorch when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:PyTorch not found")
SHIFT = 3


@pytest.fixture(name="case", scope="module")
def make_case():
    classifier, images = cases.network(), cases.images().astype(np.float32)
    return classifier, images, cases.labels(classifier, images)


def wrapped_by_art(model):
    from art.estimators.classification import TensorFlowV2Classifier

    return TensorFlowV2Classifier(
        model, nb_classes=3, input_shape=(12, 12, 1), clip_values=(0, 255)
    )


def test_art_attacks_the_saved_classifier_of_a_robust_model(case, tmp_path):
    """Its attack takes the one translation by whole pixels that changes most predictions."""
    from art.attacks.evasion import SpatialTransformation

    model, images, _ = case
    robust = sk.RobustModel(model, sk.WorstOfK(2))
    robust.classifier.save(tmp_path / "classifier.keras")
    loaded = tf.keras.models.load_model(tmp_path / "classifier.keras")
    attack = SpatialTransformation(
        wrapped_by_art(loaded), max_translation=100 * SHIFT / 12, num_translations=2 * SHIFT + 1,
        max_rotation=0, num_rotations=1, verbose=False,
    )  # fmt: skip
    attack.generate(images)
    predicted = np.argmax(model(images), axis=-1)
    evaluator = sk.evaluation.Evaluator(
        model, images, predicted, transformations=sk.TransformationSet(SHIFT, SHIFT, 0)
    )
    evaluator.grid_map(tmp_path / "map", (2 * SHIFT + 1, 2 * SHIFT + 1, 1))
    changed = np.mean(np.load(tmp_path / "map" / "margins.npy") < 0, axis=0)
    assert 0 < changed.max() < 1
    assert attack.fooling_rate == pytest.approx(changed.max())


@pytest.mark.parametrize("part", ["predict", "model"])
def test_a_classifier_of_art_is_evaluated(case, part):
    model, images, labels = case
    given = getattr(wrapped_by_art(model), part)
    found, expected = (
        sk.evaluation.Evaluator(one, images, labels, transformations=cases.BOX).grid((3, 3, 3))
        for one in (given, model)
    )
    assert 0 < expected.accuracy < 1
    np.testing.assert_array_equal(found.right, expected.right)


def test_an_object_of_art_is_refused_with_what_to_give_instead(case):
    model, images, labels = case
    with pytest.raises(TypeError, match="got TensorFlowV2Classifier; give its .predict."):
        sk.evaluation.Evaluator(wrapped_by_art(model), images, labels)
