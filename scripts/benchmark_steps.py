"""What a training step costs; `benchmark.py step xla precision recipes logging` show it."""

import tempfile
from collections.abc import Callable

import benchmark_timing as timing
import numpy as np
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet
from spatial_keras.experiments import tensorboard
from spatial_keras.training import losses

_K = 10  # candidates of a search


def original(classifier: tf.keras.Model) -> Callable[[], object]:
    """Returns a function that takes a step the way the original code does.

    The candidates go through the network one after the other, each warped by two ops on a canvas
    of 64x64, and are selected on the host.
    """
    transformations = TransformationSet()
    run = tf.function(lambda x: classifier(x, training=False))
    gradient = timing.forward_and_backward(classifier, 2 * timing.BATCH)

    @tf.function
    def warp(images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        canvas = tf.pad(tf.cast(images, tf.float32), [[0, 0], [16, 16], [16, 16], [0, 0]])
        for part in ([0, 0, 1], [1, 1, 0]):
            canvas = SpatialWarp("op", "joint")(canvas, parameters * part)
        return canvas[:, 16:-16, 16:-16]

    def step() -> None:
        natural = run(tf.cast(timing.IMAGES, tf.float32))
        worst_value = np.full(timing.BATCH, -np.inf)
        worst_images = np.zeros([timing.BATCH, 32, 32, 3], np.float32)
        for number in range(_K):
            candidates = warp(timing.IMAGES, transformations.sample([0, number], [timing.BATCH]))
            value = losses.kl_divergence(natural, run(candidates)).numpy()
            larger = value > worst_value
            worst_value[larger] = value[larger]
            worst_images[larger] = candidates.numpy()[larger]
        gradient()

    return step


def measure_step(rounds: int) -> list[tuple[str, str, str]]:
    """One training step of ResNet-32 against its unavoidable parts and the original's way."""
    model = timing.build()
    seconds = timing.interleaved(
        {
            "step": timing.training_step(model),
            "inference": timing.inference(model.classifier, _K * timing.BATCH),
            "gradient": timing.forward_and_backward(model.classifier, 2 * timing.BATCH),
            "original": original(model.classifier),
        },
        rounds,
    )
    parts = seconds["inference"] + seconds["gradient"]
    detail = ", ".join(f"{name} {np.median(value):.3f} s" for name, value in seconds.items())
    return [
        ("step / unavoidable parts", timing.ratio(seconds["step"], parts), "at most 1.10"),
        (
            "step / the original's way",
            timing.ratio(seconds["step"], seconds["original"]),
            "at most 0.85",
        ),
        ("  seconds", detail, ""),
    ]


def measure_xla(rounds: int) -> list[tuple[str, str, str]]:
    """A training step with XLA against one without, for a large and a small network."""
    rows = []
    for name in ("resnet32", "resnet8"):
        on, off = timing.build(name, xla=True), timing.build(name)
        seconds = timing.interleaved(
            {"on": timing.training_step(on), "off": timing.training_step(off)}, rounds
        )
        rows.append(
            (f"step with XLA / without, {name}", timing.ratio(seconds["on"], seconds["off"]), "")
        )
    return rows


def measure_precision(rounds: int) -> list[tuple[str, str, str]]:
    """A training step in 16 bits against one in 32, for narrow and wide networks."""
    policies = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
    rows = []
    for name, width in (("resnet8", 0.5), ("resnet8", 1), ("resnet14", 1), ("resnet14", 2)):
        steps = {}
        for bits, policy in policies.items():
            tf.keras.mixed_precision.set_global_policy(policy)
            steps[bits] = timing.training_step(timing.build(name, width=width))
        tf.keras.mixed_precision.set_global_policy("float32")
        seconds = timing.interleaved(steps, rounds)
        share = timing.ratio(seconds["bfloat16"], seconds["float32"])
        rows.append((f"step in bfloat16 / float32, {name}, width {width}", share, ""))
    return rows


def measure_recipes(rounds: int) -> list[tuple[str, str, str]]:
    """Steps of the searches that a recipe is made of, against one of wo10_kl, on ResNet-8."""
    names = ("wo10_kl", "wo10_at", "wo3_kl", "wo1_kl", "std_star")
    steps = {name: timing.training_step(timing.build("resnet8", name, width=0.5)) for name in names}
    seconds = timing.interleaved(
        {name: timing.repeated(step, 20) for name, step in steps.items()}, rounds
    )
    whole = seconds["wo10_kl"]
    shares = [
        (f"step of {name} / of wo10_kl", timing.ratio(s, whole), "") for name, s in seconds.items()
    ]
    half = (seconds["wo1_kl"] + whole) / 2
    return [
        *shares[1:],
        ("wo10_kl with --search_from=0.5 / without", timing.ratio(half, whole), ""),
        ("  seconds of a step of wo10_kl", f"{np.median(whole) / 20:.4f}", ""),
    ]


def measure_logging(rounds: int) -> list[tuple[str, str, str]]:
    """Ten of TensorBoard's logs, one with a picture, against the thousand steps between them."""
    model = timing.build()
    with tempfile.TemporaryDirectory() as folder:
        classes = tuple("0123456789")
        logs = tensorboard.TensorBoardLogs(
            model, folder, timing.IMAGES, timing.LABELS, classes, every=1
        )
        logs.on_train_begin()
        ten_logs = lambda: [logs.on_steps_end(1, {"loss": 0.5}) for _ in range(10)]  # noqa: E731
        seconds = timing.interleaved(
            {"step": timing.training_step(model), "logs": ten_logs}, rounds
        )
    share = np.median(seconds["logs"] / (1000 * seconds["step"]))
    return [("a log / the 100 steps since the last", f"{share:.2%}", "at most 3%")]
