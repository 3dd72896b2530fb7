"""The names that flags take of things in rooms that load TensorFlow, which --help does without."""

from __future__ import annotations

COMPOSITIONS = ("sequential", "joint")
DISTRIBUTIONS = ("auto", "none", "mirrored", "multi_worker")
FILLS = ("black", "nearest", "reflect", "crop")
PRECISIONS = ("none", "float16", "bfloat16")
SCHEDULES = ("paper", "cosine")
STREAMS = ("auto", "on", "off")
# How the names of the networks of tf.keras.applications begin.
APPLICATION = "keras:"
# And those of the classifiers of the zoo.
ZOO = "zoo:"
