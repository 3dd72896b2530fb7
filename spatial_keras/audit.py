"""An evaluation from flags to files: which classifier, which images, what to measure."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import flags

from spatial_keras import (
    command_line,
    data,
    evaluation,
    experiment,
    files,
    progress,
    run_folder,
    validation,
)
from spatial_keras.evaluation import GridOutcome, Outcome, Report
from spatial_keras.evaluation.classifiers import fingerprint
from spatial_keras.transformations import TransformationSet
from spatial_keras.warp import COMPOSITIONS, SpatialWarp

MEASURES = ("natural", "random", "worst_of_k", "gradient", "grid", "attack")
# These say where files lie, or how to go on; the results do not depend on them.
_PLACES = ("run", "model", "data_dir", "output", "resume")

# Group, as --help shows them -> (kind, name, default, [choices,] what it is).
FLAGS = {
    "Classifier": (
        (flags.DEFINE_string, "run", None,
         "Folder of a run of train.py; also of one that has not finished."),
        (flags.DEFINE_string, "model", None,
         "A .keras or .h5 file or the folder of a SavedModel, in the place of --run."),
        (flags.DEFINE_string, "input_range", "0,255",
         "What the model expects for black and white, e.g. 0,1 or -1,1."),
        (flags.DEFINE_enum, "outputs", "auto", ["auto", "logits", "probabilities"],
         "What the model gives."),
    ),
    "Data": (
        (flags.DEFINE_string, "dataset", None,
         "digits, or an image set of TensorFlow Datasets; default: that of --run."),
        (flags.DEFINE_string, "data_dir", None,
         "Folder of the TensorFlow Datasets; default: theirs."),
        (flags.DEFINE_integer, "image_size", None,
         "Resize all images to this height and width; default: as --run."),
        (flags.DEFINE_integer, "limit", None,
         "Evaluate the first test images only, this many; default: all."),
    ),
    "Measures": (
        (flags.DEFINE_list, "measures", list(MEASURES), "What to measure."),
        (flags.DEFINE_float, "max_rotation", None,
         "Largest rotation either way, in degrees; default: as --run, or 30."),
        (flags.DEFINE_float, "max_translation", None,
         "Largest shift in each direction, in pixels; default: as --run, or 3."),
        (flags.DEFINE_enum, "composition", "sequential", list(COMPOSITIONS),
         "Interpolate after the rotation and again after the shift, or once."),
        (flags.DEFINE_integer, "draws", 10, "Draws per image, of random accuracy."),
        (flags.DEFINE_integer, "k", 10, "Draws per image, of the worst of k."),
        (flags.DEFINE_integer, "gradient_steps", 10, "Steps of each ascent of S-PGD."),
        (flags.DEFINE_integer, "gradient_restarts", 1, "Ascents per image of S-PGD."),
        (flags.DEFINE_string, "grid_counts", "5,5,31",
         "The grid's points in tx, ty and rotation."),
        (flags.DEFINE_integer, "attack_steps", 10,
         "Gradient steps of the attack from each of up to five grid points."),
        (flags.DEFINE_integer, "attack_refinements", 50, "Random steps of the attack."),
        (flags.DEFINE_integer, "seed", 0, "Of all draws."),
        (flags.DEFINE_boolean, "map", False,
         "Evaluate the whole grid without pruning, and keep margin and loss of every image at "
         "every point beside the output."),
    ),
    "Execution": (
        (flags.DEFINE_integer, "batch_size", None, "Images per pass; default: 256, 512 on GPUs."),
        (flags.DEFINE_enum, "xla", "auto", ["auto", "on", "off"],
         "Compile the passes with XLA; auto: on GPUs."),
    ),
    "Output": (
        (flags.DEFINE_string, "output", None,
         "The JSON file to write, and beside it a CSV file with a line per image; default: "
         "evaluation.json in the run's folder, or MODEL_evaluation.json beside the model."),
        (flags.DEFINE_boolean, "resume", False, "Go on where this evaluation was killed."),
    ),
}  # fmt: skip


@dataclasses.dataclass
class Audit:
    """An evaluation, ready to start or to go on.

    Attributes:
      evaluator: evaluates.
      subject: what is evaluated, for people: the classifier and the images.
      class_names: the names of the classes.
      values: the flags' values, those of the run filled in.
      settings: the flags that the results depend on, name -> text.
      output: the JSON file.
      notes: what a reader should know.
    """

    evaluator: evaluation.Evaluator
    subject: dict[str, Any]
    class_names: tuple[str, ...]
    values: dict[str, Any]
    settings: dict[str, str]
    output: pathlib.Path
    notes: list[str]

    def run(self, on_outcome: Callable[[Outcome], None] | None = None) -> Report:
        """Measures, writes the results, and returns them.

        Args:
          on_outcome: called with each outcome as it is there.
        """
        self._claim_partial()
        found: dict[str, Outcome] = {}
        for name in self.values["measures"]:
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
    def _partial(self) -> pathlib.Path:
        return self.output.with_name(f".partial-{self.output.stem}")

    @property
    def _map(self) -> pathlib.Path:
        return self._partial / "map"

    def _claim_partial(self) -> None:
        """Makes the folder of what is measured already; with --resume it may have been there."""
        identity = json.dumps({**self.settings, **self.subject}, indent=2)
        file = self._partial / "settings.json"
        if not self.values["resume"]:
            shutil.rmtree(self._partial, ignore_errors=True)
        elif file.exists() and file.read_text() != identity:
            raise ValueError(
                f"{self.output} was begun with another classifier, other images or other flags: "
                "leave --resume out to start anew."
            )
        self._partial.mkdir(parents=True, exist_ok=True)
        files.write_text(file, identity)

    def _measure(self, name: str, found: dict[str, Outcome]) -> Outcome:
        value, evaluator = self.values, self.evaluator
        seed = value["seed"]
        if name == "natural":
            return evaluator.natural()
        if name == "random":
            return evaluator.random(value["draws"], seed)
        if name == "worst_of_k":
            return evaluator.worst_of_k(value["k"], seed)
        if name == "gradient":
            return evaluator.gradient(value["gradient_steps"], value["gradient_restarts"], seed)
        if name == "attack":
            steps, refinements = value["attack_steps"], value["attack_refinements"]
            return evaluator.attack(found["grid"], steps, refinements, seed)
        counts = value["grid_counts"]
        with progress.PassBar("grid") as bar:
            if value["map"]:
                return evaluator.grid_map(self._map, counts, bar.update)
            file = self._partial / "grid_state.npz"
            return evaluator.grid(counts, found.get("natural"), file, bar.update)

    def _to_dict(self, report: Report) -> dict[str, Any]:
        passes = sum(outcome.passes for outcome in report.outcomes.values())
        return {
            **self.subject, **report.to_dict(), "passes": passes, "flags": self.settings,
            "versions": experiment.versions(),
        }  # fmt: skip


def prepare(flag_values: flags.FlagValues = flags.FLAGS) -> Audit:
    """Loads the classifier and the images that the flags name.

    Raises:
      ValueError, TypeError: a flag's value is not allowed, or flags do not go together.
    """
    value = command_line.values(FLAGS, flag_values)
    if (value["run"] is None) == (value["model"] is None):
        raise ValueError("give either --run=FOLDER or --model=FILE.")
    if value["run"] is not None:
        run_values, classifier, state = load_run(value["run"], value["data_dir"])
        for name in ("dataset", "image_size", "max_rotation", "max_translation"):
            value[name] = run_values[name] if value[name] is None else value[name]
    else:
        classifier, state = evaluation.load(value["model"]), {}
        if value["dataset"] is None:
            raise ValueError("--model needs --dataset.")
    _check(value)
    images = data.get(value["dataset"], value["data_dir"], value["image_size"])
    first = slice(value["limit"])
    box = TransformationSet(
        *(3.0 if value["max_translation"] is None else value["max_translation"],) * 2,
        30.0 if value["max_rotation"] is None else value["max_rotation"],
    )
    xla = experiment.use_xla(value["xla"])
    evaluator = evaluation.Evaluator(
        classifier,
        images.test_images[first],
        images.test_labels[first],
        transformations=box,
        warp=SpatialWarp("gather" if xla else "op", value["composition"]),
        input_range=value["input_range"],
        outputs=value["outputs"],
        batch_size=value["batch_size"],
        xla=xla,
    )
    subject = {
        "classifier": value["run"] or value["model"], **state,
        "fingerprint": fingerprint(classifier), "dataset": value["dataset"],
        "test_images": evaluator.number, "all_test_images": len(images.test_images),
    }  # fmt: skip
    settings = {k: _text(v) for k, v in value.items() if v is not None and k not in _PLACES}
    names = images.class_names if evaluator.num_classes == images.num_classes else None
    return Audit(
        evaluator, subject, names, value, settings, _output(value), _notes(value, evaluator, images)
    )


def load_run(
    folder: str | os.PathLike, data_dir: str | None = None
) -> tuple[dict[str, Any], Any, dict[str, int]]:
    """Returns the flags of a run of train.py, its classifier, and how far it was trained.

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
    run_flags = flags.FlagValues()
    command_line.define(experiment.FLAGS, run_flags)
    places = [f"--data_dir={data_dir}"] if data_dir else []
    run_flags(["run", f"--flagfile={file}", f"--output_dir={folder}", *places])
    run_values = command_line.values(experiment.FLAGS, run_flags)
    if (folder / "classifier.keras").exists():
        classifier = evaluation.load(folder / "classifier.keras")
        return run_values, classifier, {"steps": run_values["steps"]}
    run = experiment.prepare(run_flags)
    if not run.checkpoints.step:
        raise ValueError(f"the run in '{folder}' has no checkpoint yet.")
    return run_values, run.model.classifier, {"steps": run.checkpoints.step}


def _check(value: dict[str, Any]) -> None:
    """Checks the flags, and turns lists of texts into numbers."""
    for name in value["measures"]:
        validation.check_name("measure", name, MEASURES)
    if "attack" in value["measures"] and "grid" not in value["measures"]:
        raise ValueError("measure 'attack' starts from 'grid': measure that too.")
    # Each is measured after what it builds on.
    value["measures"] = sorted(set(value["measures"]), key=MEASURES.index)
    for name in ("draws", "k", "gradient_steps", "gradient_restarts", "attack_steps"):
        validation.check_integer(f"--{name}", value[name], 1)
    validation.check_integer("--attack_refinements", value["attack_refinements"], 0)
    validation.check_integer("--seed", value["seed"], 0, 2**31 - 1)
    for name in ("limit", "batch_size"):
        if value[name] is not None:
            validation.check_integer(f"--{name}", value[name], 1)
    value["grid_counts"] = command_line.numbers("grid_counts", value["grid_counts"], int, 3)
    value["input_range"] = command_line.numbers("input_range", value["input_range"], float, 2)


def _notes(
    value: dict[str, Any], evaluator: evaluation.Evaluator, images: data.Dataset
) -> list[str]:
    notes = []
    if evaluator.number < len(images.test_images):
        notes.append(f"Only the first {evaluator.number} of {len(images.test_images)} test images.")
    if any(count % 2 == 0 for count in value["grid_counts"]):
        counts = " x ".join(str(count) for count in value["grid_counts"])
        notes.append(f"The grid, {counts} points, does not contain the untouched image.")
    if evaluator.num_classes != images.num_classes:
        notes.append(
            f"The classifier has {evaluator.num_classes} classes, the data {images.num_classes}."
        )
    return notes


def _output(value: dict[str, Any]) -> pathlib.Path:
    if value["output"] is not None:
        output = pathlib.Path(value["output"])
        if output.suffix != ".json":
            raise ValueError(f"--output must end in .json, got '{output}'.")
        return output
    if value["run"] is not None:
        return pathlib.Path(value["run"]) / "evaluation.json"
    model = pathlib.Path(value["model"])
    return model.with_name(f"{model.stem}_evaluation.json")


def _text(value: Any) -> str:
    return ",".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value)


def _restore(file: pathlib.Path) -> Outcome:
    """Reads an outcome that `Audit.run` wrote."""
    with np.load(file) as arrays:
        values = {k: v.item() if v.ndim == 0 else v for k, v in arrays.items()}
    return (GridOutcome if "damaging" in values else Outcome)(**values)
