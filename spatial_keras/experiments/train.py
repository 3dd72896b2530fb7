"""A training run from its configuration to its results."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from spatial_keras import data, evaluation, figures
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import (
    building,
    checkpoints,
    distribution,
    examples,
    image_sets,
    interruption,
    progress,
    run_folder,
    tensorboard,
    versions,
)
from spatial_keras.experiments.distribution import Distribution
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.results import folders
from spatial_keras.results.run_results import Accuracies, Results, Timing
from spatial_keras.training.robust_model import RobustModel

# The pictures of a run have so many images.
_EXAMPLES = 8


@dataclasses.dataclass
class Experiment:
    """A training run, ready to start or to continue.

    Attributes:
      distribution: what takes part.
      config: what the run is.
      dataset: the images.
      model: the compiled RobustModel.
      folder: the run's folder; of workers but the chief a temporary one.
      checkpoints: saves and restores.
      results: of the run, if it has finished.
      notes: what was found damaged in the folder, for people.
    """

    distribution: Distribution
    config: RunConfig
    dataset: data.Dataset
    model: RobustModel
    folder: run_folder.RunFolder
    checkpoints: checkpoints.Checkpoints
    results: Results | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    # Of the test images, the worst transformations found in their evaluation.
    _worst: np.ndarray = dataclasses.field(init=False)

    def state(self) -> list[str]:
        """Returns a line on how far the run has come, for people; none if it has not begun."""
        step, steps = self.checkpoints.step, self.config.steps
        if self.results is not None:
            return ["Finished before."]
        if step == steps:
            return [f"All {steps} steps are done; evaluating."]
        return [f"Continuing from step {step} of {steps}."] if step else []

    def run(self) -> Results:
        """Trains, evaluates and writes the results, from wherever the run stopped."""
        try:
            if self.results is None:
                with self.distribution.losses_named():
                    self.results = self._run()
        finally:
            self.folder.close()
        return self.results

    def _run(self) -> Results:
        config = self.config
        timing = self.train()
        accuracies = self.evaluate()
        kind = "test" if config.validation_images is None else "validation"
        tensorboard.log_accuracies(self._logs, config.steps, accuracies.measured, kind)
        results = Results(
            config,
            accuracies,
            len(self.dataset.train_images),
            self.evaluate_training() if config.training_accuracy_images else None,
            timing,
            self.distribution.replicas,
            self.dataset.left_out if config.skip_damaged else None,
            versions.found(),
            self.dataset.notes,
        )
        self.folder.write("classifier.keras", self.model.classifier.save)
        self._draw_examples()
        self.folder.write_results(results)
        return results

    def train(self) -> Timing:
        """Trains to the last step; returns what that took."""
        config, first_step = self.config, self.checkpoints.step
        if first_step < config.steps:
            self.dataset.check_test_images(config.test_images)
        batch = slice(config.batch_size // self.distribution.replicas)
        waiting = data.WaitingTime()
        logs = tensorboard.TensorBoardLogs(
            self.model,
            self._logs,
            np.asarray(self.dataset.train_images[batch]),
            self.dataset.train_labels[batch],
            self.dataset.class_names,
            first_step,
            config.log_every,
            config.texts(),
            self.folder.path.as_posix(),  # whole: runs of two tables may have one last part
            lambda: waiting.seconds,
            self.checkpoints.times,
            building.drawing_search(self.config, self.dataset.input_shape),
        )
        bar = progress.ProgressBar(config.steps, first_step, self.distribution.is_chief)
        watching = [bar, self.checkpoints, logs]
        if config.profile_steps:
            watching.append(tensorboard.Profile(self._logs, *config.profile_steps))
        if first_step < config.steps:
            common = (config.batch_size, config.seed, first_step, config.mirror)
            batches = lambda part: waiting.of(self.dataset.training_batches(*common, part))  # noqa: E731
            steps = config.steps - first_step
            together = self.distribution.workers is not None
            with bar, interruption.training(together), self._damage_named():
                self.distribution.fit(self.model, batches, steps, watching)
        return Timing(
            self.checkpoints.train_seconds,
            self.checkpoints.times.seconds_per_step,
            self.checkpoints.times.seconds_per_search,
            self.checkpoints.times.seconds_per_gradient,
            self.checkpoints.times.data_share,
        )

    @contextlib.contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError:
            config, step = self.config, self.checkpoints.step
            self.dataset.check_batch(config.batch_size, config.seed, step)
            raise

    @property
    def _logs(self) -> pathlib.Path:
        return self.folder.path / "tensorboard"

    def evaluate(self) -> Accuracies:
        """Returns natural, random and grid accuracy on the images to evaluate on.

        Raises:
          DivergedError: the weights are finite, but the logits are not.
        """
        first = slice(self.config.test_images)
        images = np.asarray(self.dataset.test_images[first])
        labels = self.dataset.test_labels[first]
        with self._divergence_named():
            evaluator = self._evaluator(images, labels)
            natural, random = evaluator.natural(), evaluator.random(seed=self.config.seed)
            grid = self._grid(evaluator, natural)
            self._worst = grid.transformations
            return _accuracies(natural, random, grid)

    def evaluate_training(self) -> Accuracies:
        """Returns natural and grid accuracy on the first training images."""
        first = slice(self.config.training_accuracy_images)
        images = np.asarray(self.dataset.train_images[first])
        labels = self.dataset.train_labels[first]
        with self._divergence_named():
            evaluator = self._evaluator(images, labels)
            natural = evaluator.natural()
            return _accuracies(natural, self._grid(evaluator, natural))

    def _grid(
        self, evaluator: evaluation.Evaluator, natural: evaluation.Outcome
    ) -> evaluation.Outcome:
        counts = self.config.test_grid_counts
        points = len(evaluator.transformations.grid(counts))
        with progress.PassBar(f"grid of {points:,} points", self.distribution.is_chief) as bar:
            return evaluator.grid(counts, natural, on_progress=bar.update)

    def _evaluator(self, images: np.ndarray, labels: np.ndarray) -> evaluation.Evaluator:
        return evaluation.Evaluator(
            self.model,
            images,
            labels,
            transformations=building.transformations(self.config, *images.shape[1:3]),
            warp=building.warp(self.config, self.model.xla),
            xla=self.model.xla,
        )

    @contextlib.contextmanager
    def _divergence_named(self) -> Iterator[None]:
        try:
            yield
        except evaluation.NonFiniteError as error:
            raise DivergedError(f"after step {self.checkpoints.step} {error}") from error

    def _draw_examples(self) -> None:
        labels = self.dataset.test_labels[: len(self._worst)]
        chosen = data.across_classes(labels, _EXAMPLES)
        images = np.stack([self.dataset.test_images[number] for number in chosen])
        figure = examples.draw(
            self.model.logits,
            building.transformations(self.config, *images.shape[1:3]),
            building.warp(self.config, xla=False),
            images,
            labels[chosen],
            self._worst[chosen],
            self.dataset.class_names,
        )
        content = figures.to_png(figure)
        self.folder.write("examples.png", lambda path: path.write_bytes(content))


def _accuracies(*outcomes: evaluation.Outcome) -> Accuracies:
    found = {outcome.name: outcome.accuracy for outcome in outcomes}
    return Accuracies(images=len(outcomes[0].right), **found)


def prepare(
    config: RunConfig, images: data.Dataset | None = None, model: RobustModel | None = None
) -> Experiment:
    """Builds a run and restores its newest checkpoint.

    Args:
      config: what the run is.
      images: what `load_images` returns for it, where it is at hand.
      model: what `build_model` returns for it, likewise.

    Raises:
      ValueError: values do not go together, or the folder cannot be used.
    """
    config.check_effects()
    task = {**config.texts(), "output_dir": str(config.folder)}
    distributed = distribution.get(config.distribute, config.worker_timeout, task)
    images = images or image_sets.load(config)
    config = config.fitted_to(len(images.train_labels))
    distributed.check_batch(config.batch_size)
    dataset = image_sets.select(config, images)
    with distributed.losses_named(), contextlib.ExitStack() as claimed:
        with distributed.scope():
            classifier = None if model else building.build_classifier(config, dataset)
            model = model or building.build_model(config, classifier, dataset)
        folder = distributed.on_chief(lambda: run_folder.RunFolder(config.folder, config))
        if folder is not None:
            claimed.callback(folder.close)
        saver = _restored(config, model)
        distributed.check_seen(f"step {saver.step}", config.folder)
        found = distributed.on_chief(lambda: _results_of(folder))
        text, notes = distributed.from_chief(found)
        results = None if text is None else Results.from_json(text)
        claimed.pop_all()
    if folder is None:
        folder = run_folder.TemporaryFolder(config)
        saver.move_to(folder.path / "checkpoints")
    notes = [*saver.notes, *notes]
    return Experiment(distributed, config, dataset, model, folder, saver, results, notes)


def _results_of(folder: run_folder.RunFolder) -> tuple[str | None, list[str]]:
    """Returns the results in a folder as JSON, if it has any, and what was found damaged."""
    try:
        results = folders.read(folder.path)
        return None if results is None else results.to_json(), []
    except folders.DamagedResultsError as error:
        return None, [f"{error}; the run is evaluated again."]


def restore(config: RunConfig) -> tuple[RobustModel, checkpoints.Checkpoints]:
    """Returns a run's model as its newest checkpoint has it; writes nothing.

    Raises:
      ValueError: values do not go together, or no checkpoint can be read.
    """
    images = image_sets.load(config)
    config = config.fitted_to(len(images.train_labels))
    dataset = image_sets.select(config, images)
    model = building.build_model(config, building.build_classifier(config, dataset), dataset)
    return model, _restored(config, model)


def _restored(config: RunConfig, model: RobustModel) -> checkpoints.Checkpoints:
    folder = config.folder / "checkpoints"
    saver = checkpoints.Checkpoints(model, folder, config.checkpoint_every)
    saver.restore()
    return saver
