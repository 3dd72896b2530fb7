"""A small model and flags that tests of whole runs share."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

from spatial_keras.configuration import command_line
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.training import defenses

IMAGES = np.random.default_rng(0).integers(0, 256, [12, 10, 10, 1]).astype(np.uint8)
LABELS = np.arange(12, dtype=np.int32) % 3

# Goes with the process; what a test leaves is in its tmp_path.
_FOLDER = tempfile.TemporaryDirectory()
# A network of one layer for 8x8 digits, in a file: of a run with ResNet-8 tracing is the most part.
MODEL = pathlib.Path(_FOLDER.name, "small.keras")
# A run of a second.
OPTIONS = tuple(
    "--image_size=8 --batch_size=16 --defense=wo2_kl --max_translation=1 --xla=off --steps=6 "
    "--checkpoint_every=2 --log_every=2".split()
)
RUN = (f"--model={MODEL}", *OPTIONS)
# The same with channels 2, 4 and 8, for one run of each command from beginning to end.
RESNET_RUN = ("--model=resnet8", "--width=0.125", *OPTIONS)


def network(size, classes):
    """Returns a network of one layer for gray images of size x size."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([size, size, 1])
    x = tf.keras.layers.Rescaling(1 / 255)(inputs)
    x = tf.keras.layers.BatchNormalization()(tf.keras.layers.Flatten()(x))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(classes)(x))


network(8, 10).save(MODEL)


def robust_model(name="wo2_kl", learning_rate=0.01):
    """Returns a compiled RobustModel of a one-layer network on 10x10 images."""
    model = defenses.get(name).build(network(10, 3))
    optimizer = tf.keras.optimizers.SGD(learning_rate, momentum=0.9)
    model.compile(optimizer=optimizer, jit_compile=False)
    return model


def parsed(*arguments):
    """Returns the configuration of a run that these arguments of train.py describe."""
    return command_line.parse(RunConfig, arguments)


def logged(folder):
    """Returns {tag: [(step, value)]} of all events of a folder."""
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {
        tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }
