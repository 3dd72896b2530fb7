"""Measures what the documentation claims, as ratios within one run on this machine.

Example: python scripts/benchmark.py step memory
         python scripts/benchmark.py evaluate --runs=runs/a,runs/b --images=200
"""

import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; gradients were 1.7 times faster with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import benchmark_axes  # noqa: E402 - TensorFlow reads these when it is imported
import benchmark_data  # noqa: E402
import benchmark_distribute  # noqa: E402
import benchmark_steps as steps  # noqa: E402
import benchmark_timing as timing  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from absl import app, flags  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from spatial_keras import SpatialWarp, TransformationSet, data, models
from spatial_keras.commands import running
from spatial_keras.configuration import command_line
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.evaluation import Evaluator  # noqa: E402
from spatial_keras.experiments import evaluate, train
from spatial_keras.experiments.evaluate import EvaluateConfig
from spatial_keras.support import validation


def measure_warp(rounds: int) -> list[tuple[str, str, str]]:
    """Warping 640 images by the op and by the gather."""
    images = tf.constant(timing.IMAGES, tf.float32)
    parameters = TransformationSet().sample([0, 0], [timing.BATCH, 10])
    functions = {}
    for name, implementation, xla in (
        ("op", "op", False), ("gather", "gather", False), ("gather, XLA", "gather", True),
    ):  # fmt: skip
        warp = SpatialWarp(implementation)
        run = tf.function(lambda x, t, warp=warp: warp(x, t), jit_compile=xla)
        functions[name] = lambda run=run: run(images, parameters).numpy()
    seconds = timing.interleaved(functions, 5 * rounds)
    return [
        (f"warp: {name} / op", timing.ratio(value, seconds["op"]), "")
        for name, value in seconds.items()
        if name != "op"
    ]


def measure_memory(rounds: int) -> list[tuple[str, str, str]]:
    """Peak memory of a process that takes three training steps of ResNet-32."""
    output = subprocess.run(
        [sys.executable, __file__, "--only_steps"], check=True, capture_output=True, text=True
    ).stdout
    return [("peak memory of the step", f"{float(output.split()[-1]):.2f} GB", "under 3 GB")]


def measure_evaluate(rounds: int) -> list[tuple[str, str, str]]:
    """The pruned grid evaluation against the exhaustive one, foolbox's and plain `predict`."""
    rows = []
    for number, folder in enumerate(_RUNS.value or [train_digits(n) for n in ("std", "wo10_kl")]):
        case = evaluation_of(folder)
        goals = [("at least 60", "at least 20"), ("at least 4", "at least 1"), ("", "")]
        rows += compare_grids(case, *goals[min(number, 2)])
        rows += compare_with_predict(case, rounds)
    output = subprocess.run(
        [sys.executable, __file__, "--only_evaluate"], check=True, capture_output=True, text=True
    ).stdout
    memory = f"{float(output.split()[-1]):.2f} GB"
    return [*rows, ("peak memory of evaluating 10,000 images", memory, "under 2 GB")]


def measure_large(rounds: int) -> list[tuple[str, str, str]]:
    """How much an evaluation of four large images adds to the peak memory of a process."""
    rows = []
    for size in (300, 600, 1024):
        command = [sys.executable, __file__, f"--only_large={size}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        memory = f"{float(output.split()[-1]):.2f} GB"
        rows.append((f"peak memory of evaluating 4 images, {size}x{size}x3", memory, ""))
    return rows


def measure_models(rounds: int) -> list[tuple[str, str, str]]:
    """Each network's size, and the time of its passes relative to ResNet-32's, on 32 images."""
    names = ("resnet32", "airbench", "vgg16", "stn_resnet32", "etn_resnet32", "g_resnet44")
    networks = {name: models.get(name) for name in names}
    # Ordinary convolutions of as many multiply-adds as those of g_resnet44.
    networks["plain"] = models.get("resnet44", width=5.5)
    passes = {name: timing.inference(network, 32) for name, network in networks.items()}
    gradients = {name: timing.forward_and_backward(networks[name], 32) for name in names}
    seconds = timing.interleaved(passes, rounds)
    backward = timing.interleaved(gradients, max(rounds // 2, 1))
    products = {name: models.multiply_adds(network) for name, network in networks.items()}
    rows = []
    for name in names:
        detail = (
            f"{networks[name].count_params() / 1e6:.2f} M parameters, {products[name] / 1e6:.0f} M "
            f"multiply-adds, inference {timing.ratio(seconds[name], seconds['resnet32'])}, "
            f"gradient {timing.ratio(backward[name], backward['resnet32'])}"
        )
        rows.append((f"{name} / resnet32", detail, ""))
    equivariant, plain = (seconds[name] / products[name] for name in ("g_resnet44", "plain"))
    per_product = timing.ratio(equivariant, plain)
    return [*rows, ("g_resnet44 / plain, per multiply-add", per_product, "at most 1.25")]


def train_digits(defense: str) -> str:
    """Returns the folder of the run of flags/digits/, trained if it is not."""
    run = train.prepare(command_line.parse(RunConfig, [f"--flagfile=flags/digits/{defense}.flags"]))
    run.run()
    return str(run.folder.path)


def evaluation_of(folder: str) -> evaluate.Evaluation:
    """Returns the evaluation of a run on its first test images."""
    return evaluate.prepare(
        EvaluateConfig(run=folder, limit=_IMAGES_EVALUATED.value, data_dir=_DATA_DIR.value)
    )


def raw(case: evaluate.Evaluation) -> tuple[tf.keras.Model, np.ndarray, np.ndarray]:
    """Returns the classifier, the images and the labels of an evaluation."""
    model = tf.keras.models.load_model(f"{case.config.run}/classifier.keras", compile=False)
    dataset = data.get(case.config.dataset, _DATA_DIR.value, case.config.image_size)
    images = np.asarray(dataset.test_images[: case.evaluator.number], np.float32)
    return model, images, dataset.test_labels[: case.evaluator.number]


def compare_grids(case: evaluate.Evaluation, faster: str, fewer: str) -> list[tuple[str, str, str]]:
    """Times the 5 x 5 x 31 grid: pruned, exhaustive and foolbox's, once each."""
    import foolbox

    case.evaluator.natural()  # traces
    with tempfile.TemporaryDirectory() as folder:
        whole = case.evaluator.grid_map(f"{folder}/map")
    pruned = case.evaluator.grid()
    assert np.array_equal(pruned.right, whole.right)

    model, images, labels = raw(case)
    attack = foolbox.attacks.SpatialAttack(3, 30, num_translations=5, num_rotations=31)
    criterion = foolbox.criteria.Misclassification(tf.constant(labels))
    start = time.perf_counter()
    _, _, broken = attack(
        foolbox.TensorFlowModel(model, bounds=(0, 255)), tf.constant(images), criterion
    )
    theirs = time.perf_counter() - start

    name = f"{case.config.run.split('/')[-1]}, {len(images)} images"
    passes = f"{whole.passes / pruned.passes:.1f}"
    least = len(images) + 774 * int(pruned.right.sum())
    return [
        (f"{name}: foolbox / pruned grid, seconds", f"{theirs / pruned.seconds:.1f}", faster),
        ("  exhaustive / pruned grid, seconds", f"{whole.seconds / pruned.seconds:.1f}", ""),
        ("  exhaustive / pruned grid, passes", passes, fewer),
        ("  exhaustive / the fewest that prove it", f"{whole.passes / least:.1f}", ""),
        ("  seconds", f"foolbox {theirs:.1f}, exhaustive {whole.seconds:.1f}, "
         f"pruned {pruned.seconds:.1f}", ""),
        ("  grid accuracy", f"{pruned.accuracy:.1%}; foolbox's warps "
         f"{1 - float(np.mean(broken)):.1%}", ""),
    ]  # fmt: skip


def compare_with_predict(case: evaluate.Evaluation, rounds: int) -> list[tuple[str, str, str]]:
    """Times passes over warped pairs against `predict` on images warped before."""
    draws = -(-8_000 // case.evaluator.number)
    model, images, _ = raw(case)
    parameters = case.evaluator.transformations.sample([0, 0], [len(images), draws])
    warped = SpatialWarp("op")(images, parameters).numpy().reshape(-1, *images.shape[1:])
    seconds = timing.interleaved(
        {
            "passes": lambda: case.evaluator.random(draws),
            "predict": lambda: model.predict(warped, batch_size=256, verbose=0),
        },
        rounds,
    )
    speed = timing.ratio(seconds["predict"], seconds["passes"])
    return [("  speed of the passes / of predict", speed, "at least 0.90")]


def evaluate_many() -> None:
    """Evaluates 10,000 images with a small network and prints the process's peak memory in GB."""
    images = timing.RNG.integers(0, 256, [10_000, 32, 32, 3]).astype(np.uint8)
    labels = timing.RNG.integers(0, 10, 10_000)
    Evaluator(models.get("resnet8", width=0.25), images, labels).grid()
    print_peak_memory()


def evaluate_large(size: int) -> None:
    """Evaluates four images of this size, and prints by how many GB the peak memory grows."""
    images = timing.RNG.integers(0, 256, [4, size, size, 3]).astype(np.uint8)
    inputs = tf.keras.Input([size, size, 3])
    outputs = tf.keras.layers.Dense(3)(tf.keras.layers.GlobalAveragePooling2D()(inputs))
    evaluator = Evaluator(tf.keras.Model(inputs, outputs), images, np.zeros(4, int))
    before = peak_memory()
    evaluator.grid_map(f"{tempfile.mkdtemp()}/map", (3, 3, 15))
    sys.stdout.write(f"{peak_memory() - before:.3f}\n")


def peak_memory() -> float:
    """Returns the process's peak memory in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def print_peak_memory() -> None:
    """Prints the process's peak memory in GB."""
    sys.stdout.write(f"{peak_memory():.3f}\n")


def take_steps() -> None:
    """Takes three steps and prints the process's peak memory in GB."""
    step = timing.training_step(timing.build())
    for _ in range(3):
        step()
    print_peak_memory()


MEASUREMENTS = {
    "step": steps.measure_step, "memory": measure_memory, "warp": measure_warp,
    "xla": steps.measure_xla, "precision": steps.measure_precision,
    "logging": steps.measure_logging, "evaluate": measure_evaluate,
    "large": measure_large, "models": measure_models,
    "recipes": steps.measure_recipes, "data": benchmark_data.measure_data,
    "distribute": benchmark_distribute.measure_distribute, "axes": benchmark_axes.measure_axes,
}  # fmt: skip
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds of every measurement.", lower_bound=1)
_RUNS = flags.DEFINE_list(
    "runs", None, "evaluate: folders of finished runs; default: std and wo10_kl on digits."
)
_IMAGES_EVALUATED = flags.DEFINE_integer("images", 200, "evaluate: test images.", lower_bound=1)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "evaluate: folder of the TensorFlow Datasets.")
_ONLY_EVALUATE = flags.DEFINE_boolean(
    "only_evaluate", False, "Evaluate 10,000 images, print peak memory in GB."
)
_ONLY_LARGE = flags.DEFINE_integer(
    "only_large", None, "Evaluate four images of this size, print by how many GB the peak grows."
)
_ONLY_STEPS = flags.DEFINE_boolean(
    "only_steps", False, "Take three steps, print peak memory in GB."
)


def main(argv: list[str]) -> None:
    """Runs the named measurements, by default all."""
    if _ONLY_STEPS.value:
        take_steps()
        return
    if _ONLY_EVALUATE.value:
        evaluate_many()
        return
    if _ONLY_LARGE.value:
        evaluate_large(_ONLY_LARGE.value)
        return
    tf.get_logger().setLevel("ERROR")  # It warns of traces, of which each model needs its own.
    with running.mistakes_refused():
        names = [validation.check_name("benchmark", n, MEASUREMENTS) for n in argv[1:]]
    table = Table("measured", "result", "goal", title=f"TensorFlow {tf.__version__}, CPU")
    for name in names or MEASUREMENTS:
        for row in MEASUREMENTS[name](_ROUNDS.value):
            table.add_row(*row)
    Console(width=110).print(table)


if __name__ == "__main__":
    app.run(main)
