"""The handwritten digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np

from spatial_keras.data.dataset import Dataset
from spatial_keras.data.sizing import resize


def load(size: int) -> Dataset:
    """Returns the 8x8 digits at a size; of those sorted by class, every fifth is for testing."""
    from sklearn import datasets

    digits = datasets.load_digits()
    images = resize(digits.images[..., np.newaxis] * (255 / 16), size).numpy()
    labels = digits.target.astype(np.int32)
    is_test = np.zeros(len(labels), bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    train, test = ((images[rows], labels[rows]) for rows in (~is_test, is_test))
    return Dataset(
        "digits",
        *train,
        *test,
        class_names=tuple(str(digit) for digit in digits.target_names),
        flip_keeps_label=False,
        train_names=np.flatnonzero(~is_test),
        test_names=np.flatnonzero(is_test),
    )
