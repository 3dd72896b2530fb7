"""The same run on 1, 2 and 4 replicas."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras.experiments import distribution
from spatial_keras.models import batch_norm
from spatial_keras.training import replicas
from tests import script_calls
from tests import search_oracles as oracles
from tests.robust_models import POINT, assert_weights_equal, build, compiled

BATCH, STEPS = 8, 20
IMAGES, LABELS = oracles.images(4 * BATCH), oracles.labels(4 * BATCH)


def mirrored(number):
    # The one of the process: the reductions of a second one may take the first one's numbers.
    strategy = distribution.get("mirrored").strategy
    assert strategy.num_replicas_in_sync == number
    return strategy


def model_on(number, name, batch_norms=False, **options):
    strategy = mirrored(number) if number > 1 else tf.distribute.get_strategy()
    with strategy.scope():
        classifier = oracles.classifier(bool(batch_norms))
        if batch_norms == "synchronized":
            classifier = batch_norm.synchronized(classifier)
        return compiled(build(name, classifier, **options), run_eagerly=False)


def train(model, steps=STEPS):
    data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(BATCH, drop_remainder=True)
    model.fit(data.repeat(), steps_per_epoch=steps, verbose=0)
    return model


OPTIONS = {"weight_decay": 1e-3, "seed": 5}


@pytest.mark.parametrize(
    ("name", "batch_norms"),
    [
        ("wo3_kl_mix", False),
        ("pgd2_at", False),
        pytest.param("std", False, marks=pytest.mark.slow),
        ("wo2_at", "synchronized"),
    ],
)
def test_the_weights_do_not_depend_on_the_number_of_replicas(name, batch_norms):
    one, two = (train(model_on(number, name, batch_norms, **OPTIONS)) for number in (1, 2))
    assert_weights_equal(two, one, atol=1e-5)


FOUR = """
import sys
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
from tests.training import replicas_test as cases
four = cases.train(cases.model_on(4, "wo3_kl_mix", **cases.OPTIONS))
four.classifier.save_weights(sys.argv[1])
"""


@pytest.mark.slow
def test_four_replicas_end_with_the_weights_of_one(tmp_path):
    # In a process of its own: TensorFlow has one size of a group of devices in each.
    file = str(tmp_path / "four.weights.h5")
    found = script_calls.finish([sys.executable, "-c", FOUR, file])
    assert found.returncode == 0, found.stderr
    one, four = train(model_on(1, "wo3_kl_mix", **OPTIONS)), model_on(1, "wo3_kl_mix")
    four.classifier.load_weights(file)
    assert_weights_equal(four, one, atol=1e-5)


def test_the_evaluation_does_not_depend_on_the_number_of_replicas():
    found = []
    for number in (1, 2):
        model = model_on(number, "wo3_kl")
        found.append(model.evaluate(IMAGES, LABELS, batch_size=BATCH, return_dict=True, verbose=0))
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_replicas_go_on_with_the_mean_of_their_moving_statistics():
    still = {"transformations": POINT}
    alone = []
    for half in (slice(0, BATCH // 2), slice(BATCH // 2, BATCH)):
        one = model_on(1, "std_star", batch_norms=True, **still)
        one.fit(IMAGES[half], LABELS[half], batch_size=BATCH, verbose=0)
        alone.append(statistics(one))
    pair = train(model_on(2, "std_star", batch_norms=True, **still), steps=1)
    np.testing.assert_allclose(statistics(pair), np.mean(alone, axis=0), rtol=1e-5)


@pytest.mark.parametrize("batch_norms", [False, True])
def test_a_replica_without_images_is_refused(batch_norms):
    model = model_on(2, "std_star", batch_norms)
    with pytest.raises(ValueError, match="^images must be at least 2 in each batch, one for each"):
        model.fit(IMAGES[:3], LABELS[:3], batch_size=2, verbose=0)


def statistics(model):
    return model.classifier.get_layer("norm").get_weights()[2:]


def test_alone_nothing_is_averaged():
    variable = tf.Variable([1.0, 2.0])
    replicas.average([variable])
    assert replicas.number() == 1 and variable.numpy().tolist() == [1, 2]
