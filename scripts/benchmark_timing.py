"""Times things in turns with what they are compared with, on images of CIFAR-10's shape."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet, models
from spatial_keras.training import defenses, losses

BATCH = 64
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, [BATCH, 32, 32, 3]).astype(np.uint8)
LABELS = RNG.integers(0, 10, BATCH).astype(np.int32)


def build(
    name: str = "resnet32",
    defense: str = "wo10_kl",
    width: float = 1.0,
    xla: bool = False,
    transformations: TransformationSet | None = None,
) -> tf.keras.Model:
    """Returns a compiled model of CIFAR-10's shapes."""
    model = defenses.get(defense).build(
        models.get(name, width=width),
        transformations,
        warp=SpatialWarp.fastest(xla=xla),
        weight_decay=2e-4,
        xla=xla,
    )
    model.compile(optimizer=tf.keras.optimizers.SGD(0.01, momentum=0.9), jit_compile=False)
    return model


def training_step(model: tf.keras.Model) -> Callable[[], object]:
    """Returns a function that takes one training step, as `fit` does.

    Not `train_on_batch`: with Keras 2.15 many of its calls end only after 2.555 s, idle since the
    step was done after some 1.4 s.
    """
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((IMAGES, LABELS)).repeat())
    return lambda: {k: float(v) for k, v in model.train_function(batches).items()}


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Times the functions in turn, A B C A B C; returns the seconds of each in every round."""
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()  # traces and compiles
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(above: np.ndarray, below: np.ndarray) -> str:
    """Returns the median over the rounds of the ratio, as the machine's speed may drift."""
    return f"{np.median(above / below):.2f}"


def inference(classifier: tf.keras.Model, number: int) -> Callable[[], object]:
    """Returns a function that runs one inference pass over images already on hand."""
    images = tf.constant(np.resize(IMAGES, [number, 32, 32, 3]), tf.float32)
    run = tf.function(lambda x: classifier(x, training=False))
    return lambda: run(images).numpy()


def forward_and_backward(classifier: tf.keras.Model, number: int) -> Callable[[], object]:
    """Returns a function that computes one gradient of the cross-entropy."""
    images = tf.constant(np.resize(IMAGES, [number, 32, 32, 3]), tf.float32)
    labels = tf.constant(np.resize(LABELS, number))

    @tf.function
    def run(images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses.cross_entropy(labels, classifier(images, training=True)))
        return tape.gradient(loss, classifier.trainable_variables)

    return lambda: run(images, labels)[0].numpy()


def repeated(function: Callable[[], object], times: int) -> Callable[[], object]:
    """Returns a function that calls the function so many times."""
    return lambda: [function() for _ in range(times)]
