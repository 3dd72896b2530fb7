"""A run's classifier on rotated images, against the evaluation image by image."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.configuration import command_line
from spatial_keras.reporting import subject
from tests import small


@pytest.fixture(name="run", scope="module")
def make_run(tmp_path_factory):
    """The folder of a run whose classifier was given, not trained."""
    folder = tmp_path_factory.mktemp("run")
    flags = command_line.flagfile(small.parsed(*small.RUN, "--max_rotation=20"))
    (folder / "run.flags").write_text(flags)
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([8, 8, 1])
    outputs = tf.keras.layers.Dense(10)(tf.keras.layers.Flatten()(inputs))
    model = tf.keras.Model(inputs, outputs)
    model.compile(
        tf.keras.optimizers.SGD(1e-6),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    digits = sk.data.get("digits", image_size=8)
    model.fit(digits.train_images.astype(np.float32), digits.train_labels, epochs=2, verbose=0)
    model.save(folder / "classifier.keras")
    return folder


@pytest.fixture(name="found", scope="module")
def load(run):
    return subject.load(str(run), None)


def test_the_map_is_that_of_single_predictions(found):
    assert found.right.shape == (100, 31) and 0.05 < found.right.mean() < 0.95
    np.testing.assert_allclose(found.degrees, np.linspace(-20, 20, 31), atol=1e-5)
    digits = sk.data.get("digits", image_size=8)
    np.testing.assert_array_equal(found.images, digits.test_images[:100])
    for column in (0, 15, 23):
        parameters = np.zeros([100, 3], np.float32)
        parameters[:, 2] = found.degrees[column]
        warped = sk.SpatialWarp("op")(found.images.astype(np.float32), parameters)
        predictions = np.argmax(found.classifier(warped, training=False), axis=-1)
        np.testing.assert_array_equal(found.right[:, column], predictions == found.labels)


def test_rotated_images_come_with_their_predictions(found):
    number = found.first_broken()
    images, degrees, predictions = found.rotated(number)
    assert images.shape == (7, 8, 8, 1)
    np.testing.assert_allclose(degrees, np.linspace(-20, 20, 7), atol=1e-5)
    np.testing.assert_allclose(images[3], found.images[number], atol=1e-3)
    label = found.class_names[found.labels[number]]
    right = [prediction == label for prediction in predictions]
    np.testing.assert_array_equal(right, found.right[number, ::5])
    assert right[3] and not all(right)
    for earlier in range(number):
        assert not found.right[earlier, 15] or found.right[earlier, ::5].all()


def test_a_run_without_rotations_has_none(run, tmp_path):
    flags = command_line.flagfile(small.parsed(*small.RUN, "--max_rotation=0"))
    (tmp_path / "run.flags").write_text(flags)
    (tmp_path / "classifier.keras").write_bytes((run / "classifier.keras").read_bytes())
    assert subject.load(str(tmp_path), None) is None


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not the folder of a run"):
        subject.load(str(tmp_path), None)
