"""An evaluation from its configuration to files: which classifier, images and measures."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from spatial_keras import data, evaluation
from spatial_keras.evaluation import GridOutcome, Outcome, Report
from spatial_keras.evaluation.classifiers import fingerprint
from spatial_keras.experiments import command_line, progress, run_folder, train
from spatial_keras.experiments.options import Config, option
from spatial_keras.experiments.run_config import LARGEST_SEED, RunConfig, use_xla
from spatial_keras.geometry.sampling import FILLS
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import COMPOSITIONS, SpatialWarp
from spatial_keras.support import files

MEASURES = ("natural", "random", "worst_of_k", "gradient", "grid", "attack")


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(Config):
    """An evaluation; each field is a flag of evaluate.py, which --help documents."""

    run: str | None = option(
        None,
        "Classifier",
        "Folder of a run of train.py; also of one that has not finished.",
        recorded=False,
    )
    model: str | None = option(
        None,
        "Classifier",
        "A .keras or .h5 file or the folder of a SavedModel, in the place of --run.",
        recorded=False,
    )
    input_range: tuple[float, ...] = option(
        (0.0, 255.0),
        "Classifier",
        "What the model expects for black and white, e.g. 0,1 or -1,1.",
        count=2,
    )
    outputs: str = option(
        "auto",
        "Classifier",
        "What the model gives.",
        choices=("auto", "logits", "probabilities"),
    )

    dataset: str | None = option(
        None,
        "Data",
        "digits, folder:PATH, or an image set of TensorFlow Datasets; default: as --run.",
    )
    data_dir: str | None = option(
        None, "Data", "Folder of the TensorFlow Datasets; default: theirs.", recorded=False
    )
    image_size: int | None = option(
        None, "Data", "Resize all images to this height and width; default: as --run.", low=1
    )
    test_fraction: float | None = option(
        None,
        "Data",
        "Of folder:PATH without test images: the share of each class to test on, e.g. 0.2.",
        low=0,
        high=1,
        exclusive_low=True,
        exclusive_high=True,
    )
    skip_damaged: bool | None = option(
        None, "Data", "Of folder:PATH: leave out files that cannot be read."
    )
    limit: int | None = option(
        None, "Data", "Evaluate the first test images only, this many; default: all.", low=1
    )

    measures: tuple[str, ...] = option(MEASURES, "Measures", "What to measure.", choices=MEASURES)
    max_rotation: float | None = option(
        None,
        "Measures",
        "Largest rotation either way, in degrees; default: as --run, or 30.",
        low=0,
    )
    max_translation: float | None = option(
        None,
        "Measures",
        "Largest shift in each direction, in pixels; default: as --run, or 3.",
        low=0,
    )
    fill: str | None = option(
        None,
        "Measures",
        "What comes in from outside of an image; default: as --run, or black.",
        choices=FILLS,
    )
    composition: str = option(
        "sequential",
        "Measures",
        "Interpolate after the rotation and again after the shift, or once.",
        choices=COMPOSITIONS,
    )
    draws: int = option(10, "Measures", "Draws per image, of random accuracy.", low=1)
    k: int = option(10, "Measures", "Draws per image, of the worst of k.", low=1)
    gradient_steps: int = option(10, "Measures", "Steps of each ascent of S-PGD.", low=1)
    gradient_restarts: int = option(1, "Measures", "Ascents per image of S-PGD.", low=1)
    grid_counts: tuple[int, ...] = option(
        (5, 5, 31), "Measures", "The grid's points in tx, ty and rotation.", count=3, low=1
    )
    attack_steps: int = option(
        10,
        "Measures",
        "Gradient steps of the attack from each of up to five grid points.",
        low=1,
    )
    attack_refinements: int = option(50, "Measures", "Random steps of the attack.", low=0)
    seed: int = option(0, "Measures", "Of all draws.", low=0, high=LARGEST_SEED)
    map: bool = option(
        False,
        "Measures",
        "Evaluate the whole grid without pruning, and keep margin and loss of every image at "
        "every point beside the output.",
    )

    batch_size: int | None = option(
        None, "Execution", "Images per pass; default: 256, 512 on GPUs.", low=1
    )
    xla: str = option(
        "auto",
        "Execution",
        "Compile the passes with XLA; auto: on GPUs.",
        choices=("auto", "on", "off"),
    )

    output: str | None = option(
        None,
        "Output",
        "The JSON file to write, and beside it a CSV file with a line per image; default: "
        "evaluation.json in the run's folder, or MODEL_evaluation.json beside the model.",
        recorded=False,
    )
    resume: bool = option(
        False, "Output", "Continue where this evaluation was killed.", recorded=False
    )

    def check(self) -> None:
        """Raises ValueError if flags do not go together."""
        if (self.run is None) == (self.model is None):
            raise ValueError("give either --run=FOLDER or --model=FILE.")
        if self.model is not None and self.dataset is None:
            raise ValueError("--model needs --dataset.")
        if "attack" in self.measures and "grid" not in self.measures:
            raise ValueError("measure 'attack' starts from 'grid': measure that too.")
        if self.output is not None and not self.output.endswith(".json"):
            raise ValueError(f"--output must end in .json, got '{self.output}'.")

    def filled_from(self, run: RunConfig) -> EvaluateConfig:
        """Returns this evaluation with what is not set taken from the run."""
        names = ["dataset", "image_size", "max_rotation", "max_translation", "fill"]
        if self.dataset in (None, run.dataset):
            names += ["test_fraction", "skip_damaged"]
        missing = {name: getattr(run, name) for name in names if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)

    @property
    def ordered_measures(self) -> list[str]:
        """What to measure, each after what it builds on."""
        return sorted(set(self.measures), key=MEASURES.index)

    @property
    def transformations(self) -> TransformationSet:
        """The set S."""
        shift = 3.0 if self.max_translation is None else self.max_translation
        rotation = 30.0 if self.max_rotation is None else self.max_rotation
        return TransformationSet(shift, shift, rotation)

    @property
    def file(self) -> pathlib.Path:
        """The JSON file to write."""
        if self.output is not None:
            return pathlib.Path(self.output)
        if self.run is not None:
            return pathlib.Path(self.run) / "evaluation.json"
        model = pathlib.Path(self.model)
        return model.with_name(f"{model.stem}_evaluation.json")


@dataclasses.dataclass
class Evaluation:
    """An evaluation, ready to start or to continue.

    Attributes:
      config: what to measure, what the run says filled in.
      evaluator: evaluates.
      subject: what is evaluated, for people: the classifier and the images.
      class_names: the names of the classes.
      notes: what a reader should know.
    """

    config: EvaluateConfig
    evaluator: evaluation.Evaluator
    subject: dict[str, Any]
    class_names: tuple[str, ...]
    notes: list[str]

    def run(self, on_outcome: Callable[[Outcome], None] | None = None) -> Report:
        """Measures, writes the results, and returns them.

        Args:
          on_outcome: called with each outcome as it is there.
        """
        self._claim_partial()
        found: dict[str, Outcome] = {}
        for name in self.config.ordered_measures:
            file = self._partial / f"{name}.npz"
            if file.exists():
                found[name] = _restore(file)
            else:
                found[name] = self._measure(name, found)
                files.write_arrays(file, **{k: np.asarray(v) for k, v in vars(found[name]).items()})
            if on_outcome:
                on_outcome(found[name])
        labels, notes = self.evaluator.labels, [*self.evaluator.notes, *self.notes]
        report = Report(list(found.values()), labels, self.class_names, notes)
        files.write_text(self.output.with_suffix(".csv"), report.to_csv())
        files.write_text(self.output, json.dumps(self._to_dict(report), indent=2) + "\n")
        if self._map.exists():
            final = self.output.with_name(f"{self.output.stem}_map")
            shutil.rmtree(final, ignore_errors=True)
            os.replace(self._map, final)
        shutil.rmtree(self._partial)
        return report

    @property
    def output(self) -> pathlib.Path:
        """The JSON file to write."""
        return self.config.file

    @property
    def _partial(self) -> pathlib.Path:
        return self.output.with_name(f".partial-{self.output.stem}")

    @property
    def _map(self) -> pathlib.Path:
        return self._partial / "map"

    def _claim_partial(self) -> None:
        """Makes the folder of what is measured already; with --resume it may have been there."""
        identity = json.dumps({**self.config.texts(), **self.subject}, indent=2)
        file = self._partial / "settings.json"
        if not self.config.resume:
            shutil.rmtree(self._partial, ignore_errors=True)
        elif file.exists() and file.read_text() != identity:
            raise ValueError(
                f"{self.output} was begun with another classifier, other images or other flags: "
                "leave --resume out to start anew."
            )
        self._partial.mkdir(parents=True, exist_ok=True)
        files.write_text(file, identity)

    def _measure(self, name: str, found: dict[str, Outcome]) -> Outcome:
        config, evaluator, seed = self.config, self.evaluator, self.config.seed
        if name == "natural":
            return evaluator.natural()
        if name == "random":
            return evaluator.random(config.draws, seed)
        if name == "worst_of_k":
            return evaluator.worst_of_k(config.k, seed)
        if name == "gradient":
            return evaluator.gradient(config.gradient_steps, config.gradient_restarts, seed)
        if name == "attack":
            steps, refinements = config.attack_steps, config.attack_refinements
            return evaluator.attack(found["grid"], steps, refinements, seed)
        counts = config.grid_counts
        with progress.PassBar("grid") as bar:
            if config.map:
                return evaluator.grid_map(self._map, counts, bar.update)
            file = self._partial / "grid_state.npz"
            return evaluator.grid(counts, found.get("natural"), file, bar.update)

    def _to_dict(self, report: Report) -> dict[str, Any]:
        passes = sum(outcome.passes for outcome in report.outcomes.values())
        return {
            **self.subject, **report.to_dict(), "passes": passes, "flags": self.config.texts(),
            "versions": train.versions(),
        }  # fmt: skip


def prepare(config: EvaluateConfig) -> Evaluation:
    """Loads the classifier and the images.

    Raises:
      ValueError, TypeError: one of them cannot be read, or they do not go together.
    """
    if config.run is not None:
        run, classifier, state = load_run(config.run, config.data_dir)
        config = config.filled_from(run)
    else:
        classifier, state = evaluation.load(config.model), {}
    images = train.load_images(config)
    first, xla = slice(config.limit), use_xla(config.xla)
    evaluator = evaluation.Evaluator(
        classifier,
        images.test_images[first],
        images.test_labels[first],
        transformations=config.transformations,
        warp=SpatialWarp.fastest(
            xla=xla, composition=config.composition, fill=config.fill or "black"
        ),
        input_range=config.input_range,
        outputs=config.outputs,
        batch_size=config.batch_size,
        xla=xla,
    )
    subject = {
        "classifier": config.run or config.model,
        **state,
        "fingerprint": fingerprint(classifier),
        "dataset": config.dataset,
        "test_images": evaluator.number,
        "all_test_images": len(images.test_images),
    }
    names = images.class_names if evaluator.num_classes == images.num_classes else None
    return Evaluation(config, evaluator, subject, names, _notes(config, evaluator, images))


def load_run(
    folder: str | os.PathLike, data_dir: str | None = None
) -> tuple[RunConfig, Any, dict[str, int]]:
    """Returns the configuration of a run of train.py, its classifier, and how far it was trained.

    Args:
      folder: of the run, which need not have finished.
      data_dir: folder of the TensorFlow Datasets.

    Raises:
      ValueError: it is no such folder, or has no checkpoint yet.
    """
    folder = pathlib.Path(folder)
    file = folder / run_folder.FLAGS_FILE
    if not file.exists():
        raise ValueError(
            f"'{folder}' is not the folder of a run: it has no {run_folder.FLAGS_FILE}."
        )
    config = command_line.read(RunConfig, file)
    config = dataclasses.replace(config, output_dir=str(folder), data_dir=data_dir)
    if (folder / "classifier.keras").exists():
        classifier = evaluation.load(folder / "classifier.keras")
        return config, classifier, {"steps": config.steps}
    run = train.prepare(config)
    if not run.checkpoints.step:
        raise ValueError(f"the run in '{folder}' has no checkpoint yet.")
    return config, run.model.classifier, {"steps": run.checkpoints.step}


def _notes(
    config: EvaluateConfig, evaluator: evaluation.Evaluator, images: data.Dataset
) -> list[str]:
    notes = []
    if evaluator.number < len(images.test_images):
        notes.append(f"Only the first {evaluator.number} of {len(images.test_images)} test images.")
    if any(count % 2 == 0 for count in config.grid_counts):
        counts = " x ".join(str(count) for count in config.grid_counts)
        notes.append(f"The grid, {counts} points, does not contain the untouched image.")
    if evaluator.num_classes != images.num_classes:
        notes.append(
            f"The classifier has {evaluator.num_classes} classes, the data {images.num_classes}."
        )
    return notes


def _restore(file: pathlib.Path) -> Outcome:
    """Reads an outcome that `Evaluation.run` wrote."""
    with np.load(file) as arrays:
        values = {k: v.item() if v.ndim == 0 else v for k, v in arrays.items()}
    values.setdefault("source", "")  # of before outcomes had one
    return (GridOutcome if "damaging" in values else Outcome)(**values)
