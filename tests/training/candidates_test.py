"""The worst candidate is NumPy's, whatever the size of a pass."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.training import candidates

PARAMETERS = np.random.default_rng(0).normal(size=[4, 7, 3]).astype(np.float32)


@pytest.mark.parametrize("per_pass", [1, 2, 3, 6, 7, 100])
def test_the_worst_candidate_has_the_largest_value(per_pass, execution):
    sizes = []

    def judge(parameters):
        sizes.append(parameters.shape[1])
        return parameters[..., 0] - 2 * parameters[..., 2]

    find = execution(lambda rows: candidates.worst_candidate(judge, rows, per_pass))
    values = PARAMETERS[..., 0] - 2 * PARAMETERS[..., 2]
    expected = PARAMETERS[np.arange(4), values.argmax(axis=1)]
    np.testing.assert_array_equal(find(tf.constant(PARAMETERS)), expected)
    assert max(sizes) == min(per_pass, 7)


@pytest.mark.parametrize("per_pass", [1, 2, 3])
def test_of_equal_candidates_the_first_is_taken(per_pass):
    values = np.array([[1, 3, 3, 3], [2, 2, 2, 2], [0, 1, 0, 1]], np.float32)
    rows = np.stack([values, np.tile(np.arange(4.0, dtype=np.float32), [3, 1])], axis=-1)
    found = candidates.worst_candidate(lambda rows: rows[..., 0], tf.constant(rows), per_pass)
    np.testing.assert_array_equal(found[:, 1], [1, 0, 1])
