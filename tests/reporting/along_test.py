"""What a run's classifier does along axes, against the evaluation image by image."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.configuration import command_line
from spatial_keras.reporting import along
from tests import small

FLAGS = ("--max_zoom=1.3", "--flip", "--max_rotation=0", "--max_translation=1")


@pytest.fixture(name="run", scope="module")
def make_run(tmp_path_factory):
    """The folder of a run whose classifier goes by the means of the classes."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.flags").write_text(command_line.flagfile(small.parsed(*small.RUN, *FLAGS)))
    digits = sk.data.get("digits", image_size=8)
    network = small.network(8, 10)
    means = np.stack([digits.train_images[digits.train_labels == i].mean(0) for i in range(10)])
    network.layers[-1].set_weights(
        [means.reshape(10, -1).T / 100, -(means.reshape(10, -1) ** 2).sum(1) / 51e3]
    )
    network.save(folder / "classifier.keras")
    return folder


def right_at(run, **values):
    """Which of the first 100 images are right under one transformation."""
    digits = sk.data.get("digits", image_size=8)
    box = sk.TransformationSet(1, 1, 0, max_zoom=1.3, flip=True)
    row = [values.get(name, axis.identity) for name, axis in zip(box.names, box.axes)]
    images = tf.constant(digits.test_images[:100], tf.float32)
    warp = sk.SpatialWarp("op").along(box)
    network = sk.evaluation.load(run / "classifier.keras")
    logits = network(warp(images, np.tile(np.float32(row), [100, 1])))
    return np.argmax(logits, axis=-1) == digits.test_labels[:100]


def test_one_axis_is_that_of_single_predictions(run):
    found = along.load(str(run), None, ["zoom"])
    assert found.right.shape == (100, 31) and 0.1 < found.right.mean() < 0.95
    np.testing.assert_allclose(found.values[0][[0, 15, 30]], [1 / 1.3, 1, 1.3], rtol=1e-6)
    for place in (0, 15, 22):
        zoom = found.values[0][place]
        np.testing.assert_array_equal(found.right[:, place], right_at(run, zoom=zoom))


def test_two_axes_are_in_the_order_asked_for(run):
    found = along.load(str(run), None, ["flip", "tx"])
    assert found.right.shape == (100, 2, 15)
    assert [axis.name for axis in found.axes] == ["flip", "tx"]
    for flip, place in ((0, 0), (1, 11)):
        tx = found.values[1][place]
        np.testing.assert_array_equal(found.right[:, flip, place], right_at(run, flip=flip, tx=tx))


@pytest.mark.parametrize("name", ["rotation", "pitch"])
def test_an_axis_that_the_run_has_not_is_refused(run, name):
    with pytest.raises(ValueError, match=f"unknown axis of the run in .*'{name}'"):
        along.load(str(run), None, [name])
