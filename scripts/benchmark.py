"""Measures what the documentation claims, as ratios within one run on this machine.

Example: python scripts/benchmark.py step memory
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; gradients were 1.7 times faster with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np  # noqa: E402 - TensorFlow reads these when it is imported
import tensorflow as tf  # noqa: E402
from absl import app, flags  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from spatial_keras import (  # noqa: E402
    SpatialWarp,
    TransformationSet,
    command_line,
    defenses,
    losses,
    models,
    validation,
)

_BATCH, _K = 64, 10
_RNG = np.random.default_rng(0)
_IMAGES = _RNG.integers(0, 256, [_BATCH, 32, 32, 3]).astype(np.uint8)
_LABELS = _RNG.integers(0, 10, _BATCH).astype(np.int32)


def build(name: str = "resnet32", xla: bool = False, implementation: str | None = None):
    """Returns a compiled wo10_kl model of CIFAR-10's shapes."""
    warp = SpatialWarp(implementation or ("gather" if xla else "op"))
    model = defenses.get(f"wo{_K}_kl").build(
        models.get(name), warp=warp, weight_decay=2e-4, xla=xla
    )
    model.compile(optimizer=tf.keras.optimizers.SGD(0.01, momentum=0.9), jit_compile=False)
    return model


def training_step(model: tf.keras.Model) -> Callable[[], object]:
    """Returns a function that takes one training step, as `fit` does.

    Not `train_on_batch`: with Keras 2.15 many of its calls end only after 2.555 s, idle since the
    step was done after some 1.4 s.
    """
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((_IMAGES, _LABELS)).repeat())
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
    images = tf.constant(np.resize(_IMAGES, [number, 32, 32, 3]), tf.float32)
    run = tf.function(lambda x: classifier(x, training=False))
    return lambda: run(images).numpy()


def forward_and_backward(classifier: tf.keras.Model, number: int) -> Callable[[], object]:
    """Returns a function that computes one gradient of the cross-entropy."""
    images = tf.constant(np.resize(_IMAGES, [number, 32, 32, 3]), tf.float32)
    labels = tf.constant(np.resize(_LABELS, number))

    @tf.function
    def run(images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses.cross_entropy(labels, classifier(images, training=True)))
        return tape.gradient(loss, classifier.trainable_variables)

    return lambda: run(images, labels)[0].numpy()


def original(classifier: tf.keras.Model) -> Callable[[], object]:
    """Returns a function that takes a step the way the original code does.

    The candidates go through the network one after the other, each warped by two ops on a canvas
    of 64x64, and are selected on the host.
    """
    transformations = TransformationSet()
    run = tf.function(lambda x: classifier(x, training=False))
    gradient = forward_and_backward(classifier, 2 * _BATCH)

    @tf.function
    def warp(images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        canvas = tf.pad(tf.cast(images, tf.float32), [[0, 0], [16, 16], [16, 16], [0, 0]])
        for part in ([0, 0, 1], [1, 1, 0]):
            canvas = SpatialWarp("op", "joint")(canvas, parameters * part)
        return canvas[:, 16:-16, 16:-16]

    def step() -> None:
        natural = run(tf.cast(_IMAGES, tf.float32))
        worst_value = np.full(_BATCH, -np.inf)
        worst_images = np.zeros([_BATCH, 32, 32, 3], np.float32)
        for number in range(_K):
            candidates = warp(_IMAGES, transformations.sample([0, number], [_BATCH]))
            value = losses.kl_divergence(natural, run(candidates)).numpy()
            larger = value > worst_value
            worst_value[larger] = value[larger]
            worst_images[larger] = candidates.numpy()[larger]
        gradient()

    return step


def measure_step(rounds: int) -> list[tuple[str, str, str]]:
    """One training step of ResNet-32 against its unavoidable parts and the original's way."""
    model = build()
    seconds = interleaved(
        {
            "step": training_step(model),
            "inference": inference(model.classifier, _K * _BATCH),
            "gradient": forward_and_backward(model.classifier, 2 * _BATCH),
            "original": original(model.classifier),
        },
        rounds,
    )
    parts = seconds["inference"] + seconds["gradient"]
    detail = ", ".join(f"{name} {np.median(value):.3f} s" for name, value in seconds.items())
    return [
        ("step / unavoidable parts", ratio(seconds["step"], parts), "at most 1.10"),
        ("step / the original's way", ratio(seconds["step"], seconds["original"]), "at most 0.85"),
        ("  seconds", detail, ""),
    ]


def measure_xla(rounds: int) -> list[tuple[str, str, str]]:
    """A training step with XLA against one without, for a large and a small network."""
    rows = []
    for name in ("resnet32", "resnet8"):
        on, off = build(name, xla=True), build(name)
        seconds = interleaved({"on": training_step(on), "off": training_step(off)}, rounds)
        rows.append((f"step with XLA / without, {name}", ratio(seconds["on"], seconds["off"]), ""))
    return rows


def measure_warp(rounds: int) -> list[tuple[str, str, str]]:
    """Warping 640 images by the op and by the gather."""
    images = tf.constant(_IMAGES, tf.float32)
    parameters = TransformationSet().sample([0, 0], [_BATCH, _K])
    functions = {}
    for name, implementation, xla in (
        ("op", "op", False), ("gather", "gather", False), ("gather, XLA", "gather", True),
    ):  # fmt: skip
        warp = SpatialWarp(implementation)
        run = tf.function(lambda x, t, warp=warp: warp(x, t), jit_compile=xla)
        functions[name] = lambda run=run: run(images, parameters).numpy()
    seconds = interleaved(functions, 5 * rounds)
    return [
        (f"warp: {name} / op", ratio(value, seconds["op"]), "")
        for name, value in seconds.items()
        if name != "op"
    ]


def measure_memory(rounds: int) -> list[tuple[str, str, str]]:
    """Peak memory of a process that takes three training steps of ResNet-32."""
    output = subprocess.run(
        [sys.executable, __file__, "--only_steps"], check=True, capture_output=True, text=True
    ).stdout
    return [("peak memory of the step", f"{float(output.split()[-1]):.2f} GB", "under 3 GB")]


def take_steps() -> None:
    """Takes three steps and prints the process's peak memory in GB."""
    step = training_step(build())
    for _ in range(3):
        step()
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.3f}\n")


MEASUREMENTS = {
    "step": measure_step, "memory": measure_memory, "warp": measure_warp, "xla": measure_xla,
}  # fmt: skip
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds of every measurement.", lower_bound=1)
_ONLY_STEPS = flags.DEFINE_boolean(
    "only_steps", False, "Take three steps, print peak memory in GB."
)


def main(argv: list[str]) -> None:
    """Runs the named measurements, by default all."""
    if _ONLY_STEPS.value:
        take_steps()
        return
    try:
        names = [validation.check_name("benchmark", n, MEASUREMENTS) for n in argv[1:]]
    except ValueError as error:
        command_line.refuse(error)
    table = Table("measured", "result", "goal", title=f"TensorFlow {tf.__version__}, CPU")
    for name in names or MEASUREMENTS:
        for row in MEASUREMENTS[name](_ROUNDS.value):
            table.add_row(*row)
    Console(width=110).print(table)


if __name__ == "__main__":
    app.run(main)
