"""Networks of tf.keras.applications, against what Keras makes of the same weights."""

import inspect
import sys

import h5py
import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import evaluation, models
from spatial_keras.classifiers import examination
from spatial_keras.classifiers.outputs import Outputs
from spatial_keras.models import applications
from spatial_keras.support import compat
from tests.models.networks import random_images

KERAS = tf.keras.applications
LOGITS = Outputs()
# One for each way of preprocessing.
PREPROCESSINGS = ["DenseNet121", "EfficientNetB0", "MobileNetV3Small", "ResNet50", "Xception"]


def small_network(include_top, weights, input_shape, classes, classifier_activation):
    assert include_top and weights is classifier_activation is None
    return tf.keras.Sequential([
        tf.keras.Input(input_shape), tf.keras.layers.Flatten(),
        tf.keras.layers.BatchNormalization(),
        tf.keras.layers.Dense(classes, bias_initializer="ones"),
    ])  # fmt: skip


@pytest.fixture(name="made")
def replace_networks(monkeypatch):
    """Puts a network of two layers into the place of Keras's, and returns those that were made."""
    made = []
    for name in PREPROCESSINGS:
        original = getattr(KERAS, name)

        def make(**options):
            made.append(small_network(**options))
            return made[-1]

        make.__module__, make.__name__ = original.__module__, name
        monkeypatch.setattr(KERAS, name, make)
    return made


def preprocessor(name):
    return sys.modules[getattr(KERAS, name).__module__].preprocess_input


def write_weights(path, classes):
    """Writes weights of a small network of 4x4 images, and returns it."""
    network = small_network(True, None, (4, 4, 3), classes, None)
    network.save_weights(path)
    return network


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_pixel_values_are_preprocessed_within(made, tmp_path, name):
    model = models.get(f"keras:{name}", num_classes=3, input_shape=(4, 5, 3))
    images = random_images(6, 4, 5, 3)
    expected = made[0](preprocessor(name)(images.copy()))
    model.save(tmp_path / "model.keras")
    loaded = evaluation.load(tmp_path / "model.keras")
    for one in (model, loaded):
        np.testing.assert_allclose(one(images), expected, rtol=1e-5, atol=1e-3)
    assert model.name == name
    # What comes before the network is not trained.
    assert len(model.trainable_variables) == len(made[0].trainable_variables) == 4
    assert examination.examine(model) == examination.Examination((4, 5, 3), LOGITS, 3)


def test_logits_have_32_bits(made):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = models.get("keras:ResNet50", num_classes=3, input_shape=(4, 5, 3))
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    images = random_images(2, 4, 5, 3)
    assert made[0](images).dtype == tf.bfloat16 and model(images).dtype == tf.float32


def test_grey_images_are_repeated(made):
    model = models.get("keras:ResNet50", num_classes=3, input_shape=(4, 5, 1))
    images = random_images(2, 4, 5, 1)
    expected = made[0](preprocessor("ResNet50")(images.repeat(3, axis=3)))
    np.testing.assert_allclose(model(images), expected, rtol=1e-5, atol=1e-3)
    with pytest.raises(ValueError, match="keras:ResNet50 takes images of 1 or 3 channels, got 4"):
        models.get("keras:ResNet50", input_shape=(4, 4, 4))


def test_weights_of_keras_give_what_keras_gives(tmp_path):
    tf.keras.utils.set_random_seed(1)
    keras_network = KERAS.MobileNet(input_shape=(32, 32, 3), weights=None, classes=4)
    keras_network.save_weights(tmp_path / "mine.weights.h5")
    model = models.get(
        "keras:MobileNet",
        num_classes=4,
        input_shape=(32, 32, 3),
        weights=tmp_path / "mine.weights.h5",
    )
    images = random_images(4, 32, 32, 3)
    expected = keras_network(images / 127.5 - 1)
    np.testing.assert_allclose(tf.nn.softmax(model(images)), expected, atol=1e-5)


def test_imagenets_weights_serve_other_classes(made, tmp_path):
    published = write_weights(tmp_path / "imagenet.weights.h5", 1000)
    with pytest.warns(UserWarning, match="last layer of keras:ResNet50 starts anew: .* 1000 .* 3"):
        models.get(
            "keras:ResNet50",
            num_classes=3,
            input_shape=(4, 4, 3),
            weights=tmp_path / "imagenet.weights.h5",
        )
    for found, expected in zip(made[0].get_weights()[:-2], published.get_weights()[:-2]):
        np.testing.assert_array_equal(found, expected)
    kernel, bias = made[0].get_weights()[-2:]
    assert kernel.shape == (48, 3) and kernel.std() > 0 and (bias == 1).all()


def refusal(path, name="keras:ResNet50", classes=3):
    with pytest.raises(ValueError) as caught:
        models.get(name, num_classes=classes, input_shape=(4, 4, 3), weights=path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_of_no_weights_are_refused_in_one_line(made, tmp_path):
    assert "there is no file" in refusal(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("weights")
    assert "text.h5' cannot be read (" in refusal(tmp_path / "text.h5")
    (tmp_path / "x.npz").write_bytes(b"")
    assert "must be an HDF5 file, .h5" in refusal(tmp_path / "x.npz")
    text = refusal(tmp_path / "x.h5", "keras:EfficientNetB0")
    assert "takes no --weights; take keras:EfficientNetV2B0" in text


def test_weights_that_do_not_fit_are_refused_in_one_line(made, tmp_path):
    path = tmp_path / "mine.weights.h5"
    network = write_weights(path, 3)
    text = "do not fit keras:ResNet50: they are 339 numbers, the network with 5 classes has 437."
    assert text in refusal(path, classes=5)
    with h5py.File(tmp_path / "other.weights.h5", "w") as file:
        file["layers/conv/vars/0"] = np.zeros(339, np.float32)  # as many, of another network
    assert "other.weights.h5' do not fit sequential" in refusal(tmp_path / "other.weights.h5")
    network.layers[-1].set_weights([np.full([48, 3], np.nan), np.zeros(3)])
    network.save_weights(path)
    assert "mine.weights.h5' hold NaN or infinite numbers" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("huge", {"shape": [10**12], "chunks": (2**20,)}, "they are 1,000,000,000,000 numbers"),
        ("outside", {"shape": [8], "external": [("/etc/hostname", 0, 32)]}, "lie in other files"),
    ],
)
def test_hostile_weights_are_refused_unread(made, tmp_path, kind, options, message):
    path = tmp_path / f"{kind}.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", dtype=np.float32, **options)
    assert path.stat().st_size < 10**5
    assert message in refusal(path)


def test_every_network_of_keras_has_a_name():
    names = applications.names()
    assert ("keras:ConvNeXtTiny" in names) == compat.IS_KERAS_3
    assert {"keras:MobileNetV3Small", "keras:ResNet50", "keras:VGG16"} <= {*names}
    for name in names:
        signature = inspect.signature(getattr(KERAS, name.removeprefix("keras:")))
        assert {"include_top", "weights", "classes", "input_shape"} <= signature.parameters.keys()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("keras:MobilNetV3Small", "keras:MobileNetV3Small"), ("ResNet50V2", "keras:ResNet50V2")],
)
def test_a_misspelled_name_gets_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"unknown model '{name}': did you mean '{nearest}'"):
        models.get(name)
