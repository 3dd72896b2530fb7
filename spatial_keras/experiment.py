"""A training run from flags to results: the only room that knows all the others."""

from __future__ import annotations

import dataclasses
import pathlib
import platform
import time
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from spatial_keras import (
    callbacks,
    checkpoints,
    command_line,
    data,
    defenses,
    evaluation,
    figures,
    models,
    optimizers,
    progress,
    run_folder,
    validation,
)
from spatial_keras.robust_model import RobustModel
from spatial_keras.transformations import TransformationSet
from spatial_keras.warp import SpatialWarp

POLICIES = {"none": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}
# These say where files lie and what is watched; the same run may be repeated without them.
_UNRECORDED = ("output_dir", "data_dir", "profile_steps")


# Group, as --help shows them -> (kind, name, default, [choices,] what it is).
FLAGS = {
    "Data": (
        (flags.DEFINE_string, "dataset", "digits",
         "digits, or an image set of TensorFlow Datasets."),
        (flags.DEFINE_string, "data_dir", None,
         "Folder of the TensorFlow Datasets; default: theirs."),
        (flags.DEFINE_integer, "train_images", None,
         "Train on this many of the training images, of each class equally many, drawn by --seed; "
         "default: all."),
        (flags.DEFINE_boolean, "mirror", None,
         "Mirror a random half of the training images; default: where that keeps the class."),
        (flags.DEFINE_integer, "test_images", None,
         "Evaluate on the first test images only, this many; default: all."),
        (flags.DEFINE_integer, "validation_images", None,
         "Hold this many training images out, and evaluate on them instead of the test images."),
        (flags.DEFINE_integer, "training_accuracy_images", None,
         "Measure natural and grid accuracy on this many training images too; default: on none."),
        (flags.DEFINE_integer, "image_size", None, "Resize all images to this height and width."),
    ),
    "Network": (
        (flags.DEFINE_string, "model", "resnet32",
         "resnet8, resnet14, resnet20, ... (6n + 2), the same after stn_, etn_ or g_, "
         "or vgg11, vgg13, vgg16, vgg19."),
        (flags.DEFINE_float, "width", 1.0, "Multiplies the widths of the network's stages."),
    ),
    "Defense": (
        (flags.DEFINE_string, "defense", "wo10_kl",
         "A row of the README's table, with any k, or pgd5_ or grid_ in its place."),
        (flags.DEFINE_float, "lambda", None, "Weight of the regularizer; default: the paper's."),
        (flags.DEFINE_string, "pgd_step_sizes", None,
         "Of pgd's steps in tx, ty (pixels) and rotation (degrees), e.g. 2,2,2, the original's; "
         "default: a quarter of each bound."),
        (flags.DEFINE_enum, "pgd_start", None, ["random", "zero"],
         "Where pgd starts: at a random point or at the untouched image; default: random."),
        (flags.DEFINE_string, "grid_counts", None,
         "Points in tx, ty and rotation that grid searches in training; default: 5,5,31."),
        (flags.DEFINE_float, "search_from", 0.0,
         "Share of the steps, from 0 to less than 1, that transform at random instead of "
         "searching; the rest search."),
        (flags.DEFINE_float, "max_rotation", 30.0, "Largest rotation either way, in degrees."),
        (flags.DEFINE_float, "max_translation", 3.0, "Largest shift in each direction, in pixels."),
    ),
    "Training": (
        (flags.DEFINE_integer, "steps", 80_000, "Training steps."),
        (flags.DEFINE_integer, "batch_size", 64, "Unique images per step."),
        (flags.DEFINE_string, "optimizer", "momentum",
         "momentum, nesterov, adam, or Addons' sgdw, lamb, ..."),
        (flags.DEFINE_float, "learning_rate", 0.1, "The largest of the schedule."),
        (flags.DEFINE_enum, "schedule", "paper", list(optimizers.SCHEDULES),
         "Of the learning rate. paper: a tenth after 1/2 of the steps, a hundredth after 3/4; "
         "cosine: rises in the first 1/5 of the steps, then falls to 0 along a cosine."),
        (flags.DEFINE_float, "weight_decay", 2e-4, "Weight of the sum of ||kernel||^2 / 2."),
        (flags.DEFINE_integer, "seed", 0, "Of the weights, the data's order and all draws."),
    ),
    "Execution": (
        (flags.DEFINE_enum, "xla", "auto", ["auto", "on", "off"],
         "Compile the search and the gradient with XLA; auto: on GPUs."),
        (flags.DEFINE_enum, "mixed_precision", "none", list(POLICIES), "Compute in 16 bits."),
    ),
    "Output": (
        (flags.DEFINE_string, "output_dir", None,
         "Folder of the run, in which the same command goes on; default: "
         "runs/DATASET/MODEL_DEFENSE_seedSEED."),
        (flags.DEFINE_integer, "checkpoint_every", 500, "Steps between checkpoints."),
        (flags.DEFINE_integer, "log_every", 100, "Steps between TensorBoard's logs."),
        (flags.DEFINE_string, "profile_steps", None,
         "First and last step to profile for TensorBoard, from when the command starts, "
         "e.g. 10,20."),
    ),
}  # fmt: skip


@dataclasses.dataclass
class Experiment:
    """A training run, ready to start or to go on.

    Attributes:
      dataset: the images.
      model: the compiled RobustModel.
      transformations: the set S.
      folder: the run's folder.
      checkpoints: saves and restores.
      steps: training steps in all.
      batch_size: unique images per step.
      seed: of everything.
      log_every: steps between logs.
      test_images: how many test images to evaluate on; None for all.
      mirror: whether to mirror training images; None: where that keeps the class.
      training_accuracy_images: how many training images to evaluate on too, if any.
      profile_steps: the first and the last step to profile, if any.
      values: the run's flags, name -> text.
    """

    dataset: data.Dataset
    model: RobustModel
    transformations: TransformationSet
    folder: run_folder.RunFolder
    checkpoints: checkpoints.Checkpoints
    steps: int
    batch_size: int
    seed: int
    log_every: int
    test_images: int | None
    mirror: bool | None
    training_accuracy_images: int | None
    profile_steps: list[int] | None
    values: dict[str, str]

    def run(self) -> dict[str, Any]:
        """Trains, evaluates and writes the results, from wherever the run stopped."""
        results = self.folder.read_results()
        if results is None:
            timing = self.train()
            accuracies = self.evaluate()
            kind = "validation" if "validation_images" in self.values else "test"
            callbacks.log_accuracies(self._logs, self.steps, accuracies, kind)
            results = self._results(timing, accuracies)
            if self.training_accuracy_images:
                results["training_accuracies"] = self.evaluate_training()
            self.folder.write("classifier.keras", self.model.classifier.save)
            self._draw_examples()
            self.folder.write_results(results)
        return results

    def train(self) -> dict[str, float | None]:
        """Trains to the last step and returns seconds per step, of it in search and gradient."""
        first_step = self.checkpoints.step
        batch = slice(0, self.batch_size)
        logs = callbacks.TensorBoardLogs(
            self.model,
            self._logs,
            self.dataset.train_images[batch],
            self.dataset.train_labels[batch],
            self.dataset.class_names,
            first_step,
            self.log_every,
            self.values,
        )
        watching = [progress.ProgressBar(self.steps, first_step), self.checkpoints, logs]
        if self.profile_steps:
            watching.append(callbacks.Profile(self._logs, *self.profile_steps))
        start = time.perf_counter()
        if first_step < self.steps:
            self.model.fit(
                self.dataset.training_batches(self.batch_size, self.seed, first_step, self.mirror),
                steps_per_epoch=self.steps - first_step,
                callbacks=watching,
                shuffle=False,  # the data set is in its order already; Keras 3 would warn
                verbose=0,
            )
        return {
            "train_seconds": time.perf_counter() - start,
            "seconds_per_step": logs.seconds_per_step,
            "seconds_per_search": logs.seconds_per_search,
            "seconds_per_gradient": logs.seconds_per_gradient,
        }

    @property
    def _logs(self) -> pathlib.Path:
        return self.folder.path / "tensorboard"

    def evaluate(self) -> dict[str, float]:
        """Returns natural, random and grid accuracy on the images to evaluate on, in [0, 1].

        Raises:
          DivergedError: the weights are finite, but the logits are not.
        """
        first = slice(self.test_images)
        evaluator = self._evaluator(
            self.dataset.test_images[first], self.dataset.test_labels[first]
        )
        natural, random = evaluator.natural(), evaluator.random(seed=self.seed)
        return _accuracies(natural, random, _grid(evaluator, natural))

    def evaluate_training(self) -> dict[str, float]:
        """Returns natural and grid accuracy on the first training images, in [0, 1]."""
        first = slice(self.training_accuracy_images)
        evaluator = self._evaluator(
            self.dataset.train_images[first], self.dataset.train_labels[first]
        )
        natural = evaluator.natural()
        return _accuracies(natural, _grid(evaluator, natural))

    def _evaluator(self, images: np.ndarray, labels: np.ndarray) -> evaluation.Evaluator:
        try:
            return evaluation.Evaluator(
                self.model,
                images,
                labels,
                transformations=self.transformations,
                xla=self.model.xla,
            )
        except ValueError as error:
            # The images and S were checked when the run was built; this is about the logits.
            raise checkpoints.DivergedError(
                f"after step {self.checkpoints.step} {error}"
            ) from error

    def _results(
        self, timing: dict[str, float | None], accuracies: dict[str, float]
    ) -> dict[str, Any]:
        return {
            "accuracies": accuracies,
            "test_images": len(self.dataset.test_images[: self.test_images]),
            "steps": self.steps,
            "timing": timing,
            "flags": self.values,
            "versions": versions(),
        }

    def _draw_examples(self) -> None:
        if self.model.search is None:
            return
        images = self.dataset.test_images[:8]
        labels = self.dataset.test_labels[:8]
        seed = tf.constant([self.seed, self.steps])
        parameters = self.model.worst_transformations(images, labels, seed)
        figure = callbacks.draw_examples(
            self.model, images, labels, parameters, self.dataset.class_names
        )
        content = figures.to_png(figure)
        self.folder.write("examples.png", lambda path: path.write_bytes(content))


def _grid(evaluator: evaluation.Evaluator, natural: evaluation.Outcome) -> evaluation.Outcome:
    with progress.PassBar("grid") as bar:
        return evaluator.grid(natural=natural, on_progress=bar.update)


def _accuracies(*outcomes: evaluation.Outcome) -> dict[str, float]:
    return {outcome.name: outcome.accuracy for outcome in outcomes}


def prepare(flag_values: flags.FlagValues = flags.FLAGS) -> Experiment:
    """Builds the run that the flags describe, and restores its newest checkpoint.

    Raises:
      ValueError: a flag's value is not allowed, or flags do not go together.
    """
    return from_values(command_line.values(FLAGS, flag_values))


def from_values(
    value: dict[str, Any], dataset: data.Dataset | None = None, model: RobustModel | None = None
) -> Experiment:
    """Builds the run of these values of all FLAGS by name, and restores its newest checkpoint.

    Args:
      value: the flags' values.
      dataset: what `load_images` returns for them, where it is at hand.
      model: what `build_model` returns for them, likewise.

    Raises:
      ValueError: a flag's value is not allowed, or flags do not go together.
    """
    check(value)
    dataset = dataset or load_images(value)
    model = model or build_model(value, build_classifier(value, dataset))
    path = value["output_dir"] or f"runs/{value['dataset']}/{run_name(value)}"
    texts = settings(value)
    folder = run_folder.RunFolder(path, texts)
    saver = checkpoints.Checkpoints(model, folder.path / "checkpoints", value["checkpoint_every"])
    saver.restore()
    return Experiment(
        dataset, model, _transformations(value), folder, saver, value["steps"],
        value["batch_size"], value["seed"], value["log_every"], value["test_images"],
        value["mirror"], value["training_accuracy_images"],
        _profile_steps(value["profile_steps"]), texts,
    )  # fmt: skip


def check(value: dict[str, Any]) -> None:
    """Checks what can be told without the images and the network.

    Raises:
      ValueError: a flag's value is not allowed, or it has no effect on the defense.
    """
    for name in ("steps", "batch_size", "checkpoint_every", "log_every"):
        validation.check_integer(f"--{name}", value[name], 1)
    if value["test_images"] is not None:
        validation.check_integer("--test_images", value["test_images"], 1)
        if value["validation_images"] is not None:
            raise ValueError("--test_images has no effect with --validation_images.")
    validation.check_integer("--seed", value["seed"], 0, 2**31 - 1)
    validation.check_range("--search_from", value["search_from"], 0, 1)
    if value["profile_steps"] is not None:
        callbacks.Profile(pathlib.Path(), *_profile_steps(value["profile_steps"]))  # refuses
    defense = defenses.get(value["defense"])
    for name, reason in ineffective_flags(defense).items():
        if value[name] is not None:
            raise ValueError(f"--{name} has no effect on defense '{defense.name}': {reason}.")


def ineffective_flags(defense: defenses.Defense) -> dict[str, str]:
    """Returns the flags that have no effect on a defense, and why."""
    by_pgd = (defense.search_kind == "gradient", "it does not search by pgd")
    effects = {
        "lambda": (defense.regularizer is not None, "its loss has no regularizer"),
        "pgd_step_sizes": by_pgd,
        "pgd_start": by_pgd,
        "grid_counts": (defense.search_kind == "grid", "it does not search a grid"),
    }
    return {name: reason for name, (effective, reason) in effects.items() if not effective}


def load_images(value: dict[str, Any]) -> data.Dataset:
    """Returns the run's images.

    Raises:
      ValueError: there are none of this name, or they are too few or too small for the run.
    """
    dataset = data.get(value["dataset"], value["data_dir"], value["image_size"])
    if value["validation_images"] is not None:
        dataset = dataset.hold_out(value["validation_images"])
    if value["train_images"] is not None:
        dataset = dataset.subset(value["train_images"], value["seed"])
    dataset.training_batches(value["batch_size"], value["seed"])  # refuses too large a batch
    _transformations(value).check_fits(*dataset.input_shape[:2])
    return dataset


def build_classifier(value: dict[str, Any], dataset: data.Dataset) -> tf.keras.Model:
    """Returns the run's network for these images, with its first weights."""
    tf.keras.mixed_precision.set_global_policy(POLICIES[value["mixed_precision"]])
    tf.keras.utils.set_random_seed(value["seed"])
    return models.get(
        value["model"],
        num_classes=dataset.num_classes,
        input_shape=dataset.input_shape,
        width=value["width"],
    )


def build_model(value: dict[str, Any], classifier: tf.keras.Model) -> RobustModel:
    """Returns the compiled RobustModel that trains the classifier."""
    xla = use_xla(value["xla"])
    optimizer = optimizers.get(
        value["optimizer"], value["learning_rate"], value["steps"], value["weight_decay"],
        value["schedule"],
    )  # fmt: skip
    weight = {} if value["lambda"] is None else {"regularizer_weight": value["lambda"]}
    model = defenses.get(value["defense"]).build(
        classifier,
        _transformations(value),
        _warp(xla),
        step_sizes=_three("pgd_step_sizes", value["pgd_step_sizes"], float),
        random_start=value["pgd_start"] != "zero",
        grid_counts=_three("grid_counts", value["grid_counts"], int),
        weight_decay=0.0 if value["optimizer"] in optimizers.DECOUPLED else value["weight_decay"],
        search_from=int(value["search_from"] * value["steps"]),
        seed=value["seed"],
        xla=xla,
        **weight,
    )
    model.compile(optimizer=optimizer, jit_compile=False)
    return model


def settings(value: dict[str, Any]) -> dict[str, str]:
    """Returns the flags that are set and say what the run does, name -> text."""
    return {k: str(v) for k, v in value.items() if v is not None and k not in _UNRECORDED}


def evaluated_on(results: dict[str, Any]) -> str:
    """Returns what a finished run was evaluated on, such as "360 test images"."""
    kind = "held-out training" if "validation_images" in results["flags"] else "test"
    return f"{results['test_images']:,} {kind} images"


def run_name(value: dict[str, Any]) -> str:
    """Returns the run's folder's name."""
    return f"{value['model']}_{value['defense']}_seed{value['seed']}"


def _transformations(value: dict[str, Any]) -> TransformationSet:
    shift = value["max_translation"]
    return TransformationSet(shift, shift, value["max_rotation"])


def _profile_steps(text: str | None) -> list[int] | None:
    return None if text is None else command_line.numbers("profile_steps", text, int, 2)


def _three(name: str, text: str | None, kind: type) -> list[float] | None:
    return None if text is None else command_line.numbers(name, text, kind, 3)


def versions() -> dict[str, str]:
    """Returns the versions of what the results depend on."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }


def use_xla(choice: str) -> bool:
    """Returns whether "on", "off" or "auto" (on where there is a GPU) means XLA here."""
    if choice != "auto":
        return choice == "on"
    # On CPUs oneDNN without XLA was the faster one, on both stacks: scripts/benchmark.py xla.
    return bool(tf.config.list_physical_devices("GPU"))


def _warp(xla: bool) -> SpatialWarp:
    # The op is the faster one outside of XLA; the two agree to rounding.
    return SpatialWarp("gather" if xla else "op")
