"""What does not hold of a batch ends in one line, in a graph too."""

import pytest
import tensorflow as tf

from spatial_keras.classifiers import assertions

VALUES = tf.constant([4.0, 5.0, -6.0])


def positive(values):
    return assertions.checked(values, values > 0, "images must be positive", values)


def test_eagerly_the_first_wrong_one_is_shown():
    assert positive(VALUES[:2]).numpy().tolist() == [4, 5]
    with pytest.raises(ValueError, match=r"^images must be positive; got -6.0 for image 2\.$"):
        positive(VALUES)


def test_in_a_graph_the_report_becomes_one_line():
    function = tf.function(positive)
    assert function(VALUES[:2]).numpy().tolist() == [4, 5]
    with pytest.raises(ValueError, match=r"^images must be positive\.$"):
        with assertions.in_one_line():
            function(VALUES)


def test_other_errors_stay_what_they_are():
    with pytest.raises(tf.errors.InvalidArgumentError):
        with assertions.in_one_line():
            tf.debugging.assert_equal(1, 2)
