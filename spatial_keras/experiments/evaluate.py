"""An evaluation from its configuration to files: which classifier, images and measures."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from spatial_keras import data, evaluation, zoo
from spatial_keras.classifiers.loading import fingerprint
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.evaluate_options import MEASURES
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.shard import WHOLE
from spatial_keras.evaluation import Outcome, Report, grid, outcome
from spatial_keras.experiments import (
    building,
    cards,
    distribution,
    gating,
    image_sets,
    progress,
    run_folder,
    shards,
    train,
    versions,
)
from spatial_keras.experiments.distribution import Distribution
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.results import paired
from spatial_keras.support import files, locks, validation


@dataclasses.dataclass
class Evaluation:
    """An evaluation, ready to start or to continue.

    Attributes:
      distribution: what takes part.
      config: what to measure, what the run says filled in.
      evaluator: evaluates.
      subject: what is evaluated, for people: the classifier and the images.
      images: a hash of these.
      other: the evaluation to compare with, if there is one.
      notes: what a reader should know.
    """

    distribution: Distribution
    config: EvaluateConfig
    evaluator: evaluation.Evaluator
    subject: dict[str, Any]
    images: str
    notes: list[str]
    other: paired.Evaluated | None = None

    def __post_init__(self) -> None:
        if self.other is not None:
            sample = self.evaluator.sample
            words = sample.transformations.words(*sample.size)
            self.other.check(self.images, words, self.config.texts())

    def run(self, on_outcome: Callable[[Outcome], None] | None = None) -> Report:
        """Measures, writes the results, and returns them; or merges those of parts.

        Args:
          on_outcome: called with each outcome as it is there.

        Raises:
          ValueError: there are no such parts.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.distribution.losses_named())
            if not self.distribution.is_chief:
                # All workers do the same, but elsewhere.
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                output = str(pathlib.Path(folder) / self.output.name)
                self.config = dataclasses.replace(self.config, output=output)
            stack.callback(self._lock().release)
            outcomes = self._merged() if self.config.merge else self._measured()
            found = []
            for one in outcomes:
                found.append(one)
                if on_outcome:
                    on_outcome(one)
            report = Report(found, [*self.evaluator.notes, *self.notes])
            if self.config.shard is None:
                self._write(report)
            else:
                shards.seal(self._partial)
                _move(self._partial, self.output)
            return report

    def _measured(self) -> Iterable[Outcome]:
        self._claim_partial()
        found: dict[str, Any] = {}
        for name in self.config.ordered_measures:
            file = self._partial / f"{name}.npz"
            found[name] = outcome.restore(file, self.evaluator.sample)
            if found[name] is None:
                found[name] = self._measure(name, found)
                found[name].save(file)
            yield found[name]

    def _merged(self) -> Iterable[Outcome]:
        measures, sample = self.config.ordered_measures, self.evaluator.sample
        places, outcomes, maps = [], [], []
        for shard in shards.all_of(self.output):
            folder, rows = shards.folder_of(shard, self.output), shard.places(sample.number)
            shards.check(folder, {**self._settings, "shard": str(shard)})
            shards.check_sealed(folder)
            part = sample.part(rows)
            found = [outcome.restore(folder / f"{name}.npz", part) for name in measures]
            found_map = grid.read_map(folder / "map", len(rows)) if self.config.map else {}
            if found_map is None or None in found:
                raise shards.damaged(folder)
            places.append(rows)
            outcomes.append(found)
            maps.append(found_map)
        self._claim_partial()
        if self.config.map:
            grid.join_maps(maps, places, self._map)
        return [outcome.join(parts, places, sample) for parts in zip(*outcomes)]

    def passing(self, report: Report) -> gating.Passing:
        """Returns whether what was found passes, by the flags."""
        subject = self.subject
        title = f"{subject['classifier']} on {subject['dataset']}"
        differences: Sequence[paired.Difference] = ()
        if self.other is not None:
            right = {name: outcome.right for name, outcome in report.outcomes.items()}
            differences = paired.compare(self.other, right)
        return gating.Passing(self.config, title, report, differences)

    def _write(self, report: Report) -> None:
        files.write_text(self.output.with_suffix(".csv"), report.to_csv())
        files.write_text(self.output, json.dumps(self._to_dict(report), indent=2) + "\n")
        if self._map.exists():
            _move(self._map, self.output.with_name(f"{self.output.stem}_map"))
        if self.config.card is not None:
            text = cards.of_evaluation(self, report).to_json()
            files.write_text(pathlib.Path(self.config.card), text)
        shutil.rmtree(self._partial)
        if self.config.merge:
            shards.remove(self.output)

    @property
    def output(self) -> pathlib.Path:
        """The JSON file to write; of a part its folder."""
        shard = self.config.part
        return self.config.file if shard is None else shards.folder_of(shard, self.config.file)

    @property
    def _partial(self) -> pathlib.Path:
        return self.output.with_name(f".partial-{self.output.stem}")

    @property
    def _settings(self) -> dict[str, Any]:
        """What the results depend on; of a part which one it is."""
        classifier, part = self.subject["fingerprint"], self.config.part
        which = {} if part is None else {"shard": str(part)}
        flags = self.config.texts()
        return {"flags": flags, "classifier": classifier, "images": self.images, **which}

    @property
    def _map(self) -> pathlib.Path:
        return self._partial / "map"

    def _lock(self) -> locks.Lock:
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            return locks.Lock(self.output.with_name(f".lock-{self.output.stem}"))
        except OSError as error:
            raise ValueError(
                f"cannot write to {self.output.parent}: {error.strerror}; --output=FILE.json "
                "writes elsewhere."
            ) from error

    def _claim_partial(self) -> None:
        """Makes the folder of what is measured already; with --resume it may have been there."""
        files.check_tree(self._partial, links=False)
        identity = json.dumps(self._settings, indent=2)
        file = self._partial / shards.SETTINGS_FILE
        files.sweep(self.output.parent)
        if not self.config.resume:
            shutil.rmtree(self._partial, ignore_errors=True)
        elif self.config.part and shards.is_of(self.output, self._settings):
            _move(self.output, self._partial)  # it was finished
        elif file.exists() and file.read_bytes() != identity.encode():
            raise ValueError(
                f"{self.output} was begun with another classifier, other images or other flags: "
                "leave --resume out to start anew."
            )
        self._partial.mkdir(parents=True, exist_ok=True)
        files.sweep(self._partial)
        files.write_text(file, identity)

    def _measure(self, name: str, found: dict[str, Any]) -> Outcome:
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
        _, points = grid.points_of(evaluator.transformations, config.grid_counts)
        with progress.PassBar(
            f"{name} of {len(points):,} points", self.distribution.is_chief
        ) as bar:
            if name == "profile":
                margins = np.load(self._map / "margins.npy", mmap_mode="r") if config.map else None
                natural, on_grid = found["natural"], found["grid"]
                asked = config.profile_images / self.subject["test_images"]
                share = 1.0 if config.map else min(1.0, asked)
                return evaluator.profile(natural, on_grid, margins, share, bar.update)
            counts = config.grid_counts
            if config.map:
                # Whole, but killed before its accuracy was written.
                shutil.rmtree(self._map, ignore_errors=True)
                return evaluator.grid_map(self._map, counts, bar.update)
            file = self._partial / "grid_state.npz"
            return evaluator.grid(counts, found.get("natural"), file, bar.update)

    def _compared(self, report: Report) -> dict[str, Any]:
        if self.other is None:
            return {}
        differences = [each.to_dict() for each in self.passing(report).differences]
        return {"comparison": {"with": self.config.compare, "differences": differences}}

    def _to_dict(self, report: Report) -> dict[str, Any]:
        passes = sum(outcome.passes for outcome in report.outcomes.values())
        return {
            **report.to_dict(), **self._compared(report), **self.subject, "pixels": self.images,
            "passes": passes, "flags": self.config.texts(), "versions": versions.found(),
        }  # fmt: skip


def prepare(config: EvaluateConfig) -> Evaluation:
    """Loads the classifier and the images.

    Raises:
      ValueError, TypeError: one of them cannot be read, or they do not go together.
    """
    for name in ("resume", "shard", "merge"):
        if getattr(config, name) and distribution.resolved(config.distribute) == "multi_worker":
            raise ValueError(
                f"--{name} is for one process: leave it out, or give --distribute=none."
            )
    task = {**config.texts(), "run": str(config.run), "model": str(config.model)}
    other = None if config.compare is None else paired.read(pathlib.Path(config.compare))
    distributed = distribution.get(config.distribute, config.worker_timeout, task)
    with distributed.scope():
        if config.run is not None:
            run, classifier, state = load_run(config.run, config.data_dir, config.unsafe)
            config = config.filled_from(run)
        else:
            classifier, state = building.load_classifier(config.classifier, config.unsafe), {}
            if config.dataset is None:
                trained_on = zoo.card(config.classifier).data["name"]
                config = dataclasses.replace(config, dataset=trained_on)
    images = image_sets.load(config)
    if config.limit is not None:
        count = len(images.test_images)
        validation.check_integer(f"--limit with data set '{images.name}'", config.limit, 1, count)
    first, xla = slice(config.limit), building.uses_xla(config)
    pixels, labels = np.asarray(images.test_images[first]), images.test_labels[first]
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data)
    digest.update(np.ascontiguousarray(labels).data)
    part = config.part or WHOLE
    names = images.test_names
    evaluator = evaluation.Evaluator(
        classifier,
        pixels[part.rows],
        labels[part.rows],
        transformations=_transformations(config, images),
        warp=SpatialWarp.fastest(
            xla=xla, composition=config.composition, fill=config.fill or "black"
        ),
        input_range=config.input_range,
        outputs=config.outputs,
        batch_size=config.batch_size,
        xla=xla,
        places=part.places(len(labels)),
        names=None if names is None else names[first][part.rows],
        class_names=images.class_names,
    )
    config, left_out = _possible(config, evaluator)
    subject = {
        "classifier": config.classifier,
        **state,
        "fingerprint": fingerprint(classifier),
        "dataset": config.dataset,
        "test_images": len(labels),
        "all_test_images": len(images.test_images),
        **({"damaged_images_left_out": images.left_out} if config.skip_damaged else {}),
    }
    notes = _notes(config, evaluator, images) + left_out
    return Evaluation(distributed, config, evaluator, subject, digest.hexdigest(), notes, other)


def _possible(
    config: EvaluateConfig, evaluator: evaluation.Evaluator
) -> tuple[EvaluateConfig, list[str]]:
    """Returns the evaluation without what a black box cannot be asked, unless that is asked for."""
    if evaluator.has_gradient or config.measures != MEASURES:
        return config, []
    left_out = ("gradient", "attack")
    measures = tuple(name for name in MEASURES if name not in left_out)
    note = f"Without {' and '.join(left_out)}, which need a gradient."
    return dataclasses.replace(config, measures=measures), [note]


def load_run(
    folder: str | os.PathLike, data_dir: str | None = None, unsafe: bool = False
) -> tuple[RunConfig, Any, dict[str, int]]:
    """Returns the configuration of a run of train.py, its classifier, and how far it was trained.

    Args:
      folder: of the run, which need not have finished.
      data_dir: folder of the TensorFlow Datasets.
      unsafe: as for `evaluation.load`.

    Raises:
      ValueError: it is no such folder, or has no checkpoint yet.
    """
    folder = pathlib.Path(folder)
    config = run_folder.read_config(folder, RunConfig)
    config = dataclasses.replace(config, output_dir=str(folder), data_dir=data_dir)
    if (folder / "classifier.keras").exists():
        classifier = evaluation.load(folder / "classifier.keras", unsafe)
        return config, classifier, {"steps": config.steps}
    unsafe = unsafe and config.is_model_file
    model, saver = train.restore(dataclasses.replace(config, unsafe=unsafe))
    if not saver.step:
        raise ValueError(f"the run in '{folder}' has no checkpoint yet.")
    return config, model.classifier, {"steps": saver.step}


def _transformations(config: EvaluateConfig, images: data.Dataset) -> TransformationSet:
    box = building.transformations(config, *images.test_images.shape[1:3])
    if config.grid_counts is not None:
        box.check_columns("--grid_counts", config.grid_counts)
    return box


def _notes(
    config: EvaluateConfig, evaluator: evaluation.Evaluator, images: data.Dataset
) -> list[str]:
    notes = list(images.notes)
    count = len(images.test_images)
    if config.limit is not None and config.limit < count:
        notes.append(f"Only the first {config.limit} of {count} test images.")
    box = evaluator.transformations
    if "grid" in config.measures:
        grid_counts, points = grid.points_of(box, config.grid_counts)
        if not (points == box.identity).all(axis=1).any():
            counts = " x ".join(str(count) for count in grid_counts)
            notes.append(f"The grid, {counts} points, does not contain the untouched image.")
    if evaluator.num_classes != images.num_classes:
        notes.append(
            f"The classifier has {evaluator.num_classes} classes, the data {images.num_classes}."
        )
    return notes


def _move(folder: pathlib.Path, target: pathlib.Path) -> None:
    """Gives a folder another name, in the place of what has it."""
    shutil.rmtree(target, ignore_errors=True)
    os.replace(folder, target)
