"""BatchNorm over the global batch of all replicas, for networks that have it."""

from __future__ import annotations

import tensorflow as tf


def synchronized(classifier: tf.keras.Model) -> tf.keras.Model:
    """Returns a copy, with the same weights, whose BatchNorms take the statistics of all replicas.

    Under tf.distribute a BatchNorm otherwise normalizes each replica's images by themselves.

    Args:
      classifier: a functional model; models within it are copied likewise.

    Raises:
      ValueError: it is not functional, or has no BatchNormalization.
    """
    found = 0

    def copied(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        nonlocal found
        if isinstance(layer, tf.keras.Model):
            return clone(layer)
        config = layer.get_config()
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            found += 1
            config["synchronized"] = True
        return type(layer).from_config(config)

    def clone(model: tf.keras.Model) -> tf.keras.Model:
        try:
            return tf.keras.models.clone_model(model, clone_function=copied)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise ValueError(
                f"BatchNorm can be synchronized in functional models only; '{model.name}' is none."
            ) from error

    copy = clone(classifier)
    if not found:
        raise ValueError(f"'{classifier.name}' has no BatchNormalization to synchronize.")
    copy.set_weights(classifier.get_weights())
    return copy
