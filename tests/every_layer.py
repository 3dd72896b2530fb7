"""Every layer that Keras offers, with what it can be called on."""

from __future__ import annotations

import inspect
import re

import tensorflow as tf

layers = tf.keras.layers
_ALL = {
    kind
    for _, kind in inspect.getmembers(layers, inspect.isclass)
    if issubclass(kind, layers.Layer)
}
_CODE = "Lambda DenseFeatures TFSMLayer TorchModuleWrapper FlaxLayer JaxLayer NnxLayer".split()
_BASES = "Layer Wrapper AbstractRNNCell".split()
# Those that hold code or read files, and those that are no layers by themselves.
LEFT_OUT = {kind for kind in _ALL if kind.__name__ in (*_CODE, *_BASES)}
KINDS = sorted(_ALL - LEFT_OUT, key=lambda kind: kind.__name__)

_ARGUMENTS = {
    "Activation": ("gelu",), "AlphaDropout": (0.5,), "Bidirectional": (layers.LSTM(3),),
    "CategoryEncoding": (5,), "CenterCrop": (4, 4), "Dense": (3,), "Discretization": ((0.2, 0.5),),
    "Dot": (1,), "Dropout": (0.5,), "EinsumDense": ("abcd,de->abce", (None, 8, 8, 4)),
    "Embedding": (5, 3), "GRU": (3,), "GRUCell": (3,), "GaussianDropout": (0.5,),
    "GaussianNoise": (0.5,), "GroupedQueryAttention": (3, 4, 2), "HashedCrossing": (5,),
    "Hashing": (5,), "LSTM": (3,), "LSTMCell": (3,), "MaxNumBoundingBoxes": (3,),
    "MultiHeadAttention": (2, 3), "Permute": ((2, 1, 3),), "RNN": (layers.LSTMCell(3),),
    "Pipeline": ([layers.RandomFlip()],), "RandomBrightness": (0.2,),
    "RandomColorDegeneration": (0.2,), "RandomContrast": (0.2,), "RandomCrop": (4, 4),
    "RandomHeight": (0.2,), "RandomHue": (0.2,), "RandomPosterization": (4,),
    "RandomRotation": (0.2,), "RandomSaturation": (0.2,), "RandomSharpness": (0.2,),
    "RandomShear": (0.2, 0.2), "RandomTranslation": (0.2, 0.2), "RandomWidth": (0.2,),
    "RandomZoom": (0.2,), "RepeatVector": (2,), "Rescaling": (0.5,), "Reshape": ((-1,),),
    "Resizing": (4, 4), "ReversibleEmbedding": (5, 3), "SimpleRNN": (3,), "SimpleRNNCell": (3,),
    "SpectralNormalization": (layers.Dense(3),), "StackedRNNCells": ([layers.GRUCell(3)],),
    "TimeDistributed": (layers.Dense(3),),
}  # fmt: skip
_OPTIONS = {
    "GroupNormalization": {"groups": 3},
    "IntegerLookup": {"vocabulary": [1, 2]},
    "MaxNumBoundingBoxes": {"bounding_box_format": "xyxy"},
    "MelSpectrogram": {"fft_length": 8, "sequence_stride": 4, "num_mel_bins": 3},
    "Normalization": {"mean": 0.5, "variance": 2.0},
    "RandomElasticTransform": {"factor": 1.0},
    "STFTSpectrogram": {"frame_length": 8, "frame_step": 4, "fft_length": 8},
    "StringLookup": {"vocabulary": ["a", "b"]},
    "TextVectorization": {"vocabulary": ["a", "b"]},
}
_IMAGES, _SERIES = tf.ones([2, 8, 8, 3]), tf.ones([2, 8, 3])
_OF_DIMENSIONS = {"1": _SERIES, "2": _IMAGES, "3": tf.ones([2, 6, 6, 6, 3])}
_TEXTS, _CLASSES = tf.constant([["a"], ["c"]]), tf.constant([[1, 2], [0, 1]])
_BOXES = {"boxes": tf.zeros([2, 4, 4]), "labels": tf.zeros([2, 4])}
_INPUTS = (
    (
        "Add AdditiveAttention Attention Average Concatenate Dot Maximum Minimum Multiply Subtract",
        ([_SERIES, _SERIES],),
    ),
    ("MultiHeadAttention GroupedQueryAttention", (_SERIES, _SERIES)),
    ("Bidirectional GRU LSTM Masking RNN SimpleRNN TimeDistributed", (_SERIES,)),
    ("GRUCell LSTMCell SimpleRNNCell StackedRNNCells", (_SERIES,)),
    ("CategoryEncoding Embedding IntegerLookup ReversibleEmbedding", (_CLASSES,)),
    ("Hashing StringLookup TextVectorization", (_TEXTS,)),
    ("HashedCrossing", ((_TEXTS[:, 0], _TEXTS[:, 0]),)),
    ("RepeatVector", (tf.ones([2, 8]),)),
    ("MelSpectrogram", (tf.ones([2, 64]),)),
    ("STFTSpectrogram", (tf.ones([2, 64, 1]),)),
    ("CutMix MixUp", ({"images": _IMAGES, "labels": tf.one_hot([0, 1], 3)},)),
    ("MaxNumBoundingBoxes", ({"images": _IMAGES, "bounding_boxes": _BOXES},)),
)


def call(kind):
    """Returns a layer of a kind, and the arguments of a call."""
    name = kind.__name__
    layer = kind(*_arguments(name), **_OPTIONS.get(name, {}))
    if "Cell" in name:
        layer = layers.RNN(layer)
    return layer, _inputs(name)


def _arguments(name):
    if "Pooling" in name and "Global" not in name:
        return (2,)
    if name.startswith("SpatialDropout"):
        return (0.5,)
    if name.startswith("DepthwiseConv"):
        return (3,)
    if "Conv" in name or name.startswith("LocallyConnected"):
        return (4, 3)
    return _ARGUMENTS.get(name, ())


def _inputs(name):
    """The arguments of a call, a tuple."""
    found = [inputs for names, inputs in _INPUTS if name in names.split()]
    if found:
        return found[0]
    dimensions = re.search(r"(\d)D", name)
    inputs = _OF_DIMENSIONS[dimensions[1]] if dimensions else _IMAGES
    return (tf.stack([inputs] * 3, axis=1) if name.startswith("ConvLSTM") else inputs,)
