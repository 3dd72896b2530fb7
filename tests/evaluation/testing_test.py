"""The assertion against an evaluation of the same images."""

import numpy as np
import pytest

import spatial_keras as sk
from tests import evaluation_cases as cases


@pytest.fixture(name="case", scope="module")
def make_case():
    """A classifier, images and labels, of which every seventh is wrong as it is."""
    classifier, images = cases.network(), cases.images()
    return classifier, images, cases.labels(classifier, images)


def test_a_robust_classifier_passes(case):
    sk.testing.assert_robust(*case, natural=0.8, random=0.5, transformations=cases.BOX)


def test_the_message_names_the_worst_images(case):
    names = [f"photo {number}.png" for number in range(23)]
    options = {"transformations": cases.BOX, "names": names, "class_names": ("cat", "dog", "fox")}
    with pytest.raises(AssertionError) as error:
        sk.testing.assert_robust(*case, natural=0.8, grid=0.99, **options)
    verdict, failure, *worst = str(error.value).splitlines()
    evaluator = sk.evaluation.Evaluator(*case, **options)
    natural, grid = evaluator.natural(), evaluator.grid()
    assert verdict == sk.evaluation.Report([natural, grid]).verdict
    assert failure.startswith(f"grid: {100 * grid.accuracy:.1f}% (") and "99.0%" in failure
    assert len(worst) == 5 and all("under no change" in line for line in worst[:4])
    for image in np.flatnonzero(~natural.right)[:4]:
        there = options["class_names"][natural.predictions[image]]
        label = options["class_names"][case[2][image]]
        assert f"of class {label}, is taken for {there} under no change" in "".join(worst)
        assert f"image photo {image}.png, of class" in "".join(worst)


def test_by_the_interval_more_is_asked(case):
    asked = {"natural": 0.8, "transformations": cases.BOX}
    sk.testing.assert_robust(*case, **asked)
    with pytest.raises(AssertionError, match="its interval reaches below 80.0%"):
        sk.testing.assert_robust(*case, by_interval=True, **asked)


def test_something_has_to_be_asked(case):
    with pytest.raises(ValueError, match="give what must be reached"):
        sk.testing.assert_robust(*case)
    with pytest.raises(ValueError, match=r"grid must be in \[0, 1\], got 80"):
        sk.testing.assert_robust(*case, grid=80)
