"""A model saves and exports before, after and during fit, also one that is not functional."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.support import compat
from tests.fit_cases import X, Y, model, network

keras_2_only = pytest.mark.skipif(compat.IS_KERAS_3, reason="Keras 3 exports, and saves to .keras")


@tf.keras.utils.register_keras_serializable("tests")
class Subclass(tf.keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.flatten, self.dense = tf.keras.layers.Flatten(), tf.keras.layers.Dense(4)

    def call(self, images, training=None):
        return self.dense(self.flatten(images / 255))


def subclass():
    tf.keras.utils.set_random_seed(0)
    made = Subclass()
    made(X[:2].astype(np.float32))
    return made


def served(folder, images):
    loaded = tf.saved_model.load(str(folder))
    name = next(iter(loaded.signatures)) if not hasattr(loaded, "serve") else None
    if name is None:
        return loaded.serve(tf.constant(images))
    ((argument, spec),) = loaded.signatures[name].structured_input_signature[1].items()
    (found,) = loaded.signatures[name](**{argument: tf.constant(images, spec.dtype)}).values()
    return found


def save_folder(robust, folder):
    robust.save(folder)


def save_by_checkpoint(robust, folder):
    callback = tf.keras.callbacks.ModelCheckpoint(str(folder))
    robust.fit(X, Y, batch_size=16, callbacks=[callback], verbose=0)


def export(robust, folder):
    robust.export(str(folder))


def saved_model(robust, folder):
    @tf.function(input_signature=[tf.TensorSpec([None, 12, 12, 1])])
    def serve(images):
        return robust(images, training=False)

    tf.saved_model.save(robust, str(folder), signatures=serve)


@pytest.mark.parametrize("make", [network, subclass])
@pytest.mark.parametrize(
    "save",
    [
        pytest.param(save_folder, marks=keras_2_only),
        pytest.param(save_by_checkpoint, marks=keras_2_only),
        export,
        saved_model,
    ],
)
def test_a_model_that_was_only_trained_is_saved(tmp_path, make, save):
    robust = model(make(), run_eagerly=True)
    robust.fit(X, Y, batch_size=16, verbose=0)
    save(robust, tmp_path / "folder")
    images = X.astype(np.float32)
    expected = robust.classifier(images)
    np.testing.assert_allclose(served(tmp_path / "folder", images), expected, atol=1e-5)


@pytest.mark.parametrize("make", [network, subclass])
def test_a_loaded_model_trains_on(tmp_path, make):
    robust = model(make(), run_eagerly=True)
    robust.fit(X, Y, batch_size=16, verbose=0)
    robust.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    loaded.compile(robust.optimizer.__class__(0.01), jit_compile=False, run_eagerly=True)
    for one, other in zip(robust.classifier.get_weights(), loaded.classifier.get_weights()):
        np.testing.assert_array_equal(one, other)
    loaded.fit(X, Y, batch_size=16, verbose=0)
    assert type(loaded) is sk.RobustModel
