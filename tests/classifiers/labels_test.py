"""What `fit` takes for labels an Evaluator takes, and the other way round."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.classifiers import labels
from spatial_keras.evaluation import Evaluator
from tests.fit_cases import X, Y, model

FORMS = {
    "column": Y[:, None],
    "floats": Y.astype(np.float32),  # of image_dataset_from_directory
    "one-hot": np.eye(4, dtype=np.float32)[Y],
    "soft": 0.9 * np.eye(4)[Y] + 0.025,
    "64 bits": Y.astype(np.uint64),
    "list": Y.tolist(),
}
WRONG = {
    "texts": (np.array(["a", "b"])[Y % 2], "got str"),
    "objects": (np.array([0, "b"], object)[Y % 2], "got object"),
    "beyond 32 bits": (Y + 2**32, f"got {2**32} for image 0"),
    "negative": (Y - 1, "got -1 for image 0"),
    "too large": (Y + 1, "got 4 for image 3"),
    "fractions": (Y + 0.5, "got 0.5 for image 0"),
    "three classes": (np.eye(3)[Y % 3], "got shape"),
    "no distribution": (2 * np.eye(4)[Y], r"got \[2. 0. 0. 0.\] for image 0"),
}
ALLOWED = r"labels must be class numbers 0..3, integer \[batch\], or distributions .*"


class Batches(tf.keras.utils.Sequence):
    """The images and labels in two batches."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def __len__(self):
        return 2

    def __getitem__(self, number):
        rows = slice(8 * number, 8 * number + 8)
        return X[rows], self.given[rows]


@pytest.mark.parametrize("kind", ["arrays", "dataset", "sequence"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_taken_by_both(form, kind):
    robust, given = model(), FORMS[form]
    if kind == "dataset":
        data = (tf.data.Dataset.from_tensor_slices((X, given)).batch(8),)
    elif kind == "sequence":
        data = (Batches(np.asarray(given)),)
    else:
        data = (X, np.asarray(given) if form == "list" else given)
    reported = robust.evaluate(*data, verbose=0, return_dict=True)
    outcome = Evaluator(robust, *data).natural()
    right = np.argmax(robust.classifier(X.astype(np.float32)), axis=1) == Y
    np.testing.assert_array_equal(outcome.right, right)
    assert reported["natural_accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("use", ["fit", "Evaluator"])
def test_what_is_wrong_is_refused_by_both(case, use):
    given, message = WRONG[case]
    with pytest.raises(ValueError, match=ALLOWED + message) as error:
        if use == "fit":
            model().fit(X, given, verbose=0)
        else:
            Evaluator(model(), X, given)
    assert "\n" not in str(error.value)


def test_class_numbers_are_those_of_the_likeliest_class():
    assert labels.class_numbers(FORMS["soft"], 4).tolist() == Y.tolist()
    assert labels.class_numbers(FORMS["64 bits"], 4).dtype == np.int32
