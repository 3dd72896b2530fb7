"""A small model and flags that tests of whole runs share."""

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

from spatial_keras.configuration import command_line
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.training import defenses

IMAGES = np.random.default_rng(0).integers(0, 256, [12, 10, 10, 1]).astype(np.uint8)
LABELS = np.arange(12, dtype=np.int32) % 3

# A run of seconds: ResNet-8 with channels 2, 4 and 8 on 8x8 digits.
RUN = tuple(
    "--model=resnet8 --width=0.125 --image_size=8 --batch_size=16 --defense=wo2_kl "
    "--max_translation=1 --xla=off --steps=6 --checkpoint_every=2 --log_every=2".split()
)


def robust_model(name="wo2_kl", learning_rate=0.01):
    """Returns a compiled RobustModel of a one-layer network on 10x10 images."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input([10, 10, 1])
    x = tf.keras.layers.Rescaling(1 / 255)(inputs)
    x = tf.keras.layers.BatchNormalization()(tf.keras.layers.Flatten()(x))
    model = defenses.get(name).build(tf.keras.Model(inputs, tf.keras.layers.Dense(3)(x)))
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
