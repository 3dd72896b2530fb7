"""What TensorBoard shows of a run: scalars, timings, worst-case examples, a profile."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras import data, figures
from spatial_keras.callbacks import StepCallback, is_due
from spatial_keras.experiments import examples
from spatial_keras.experiments.step_times import StepTimes
from spatial_keras.support import compat, validation
from spatial_keras.training import losses
from spatial_keras.training.robust_model import RobustModel
from spatial_keras.training.search import Search

_EXAMPLES = 8


class TensorBoardLogs(StepCallback):
    """Writes means over the last steps, timings, histograms and pictures; also takes the times.

    The metrics are reset at every log, so that a scalar is the mean since the one before. The
    histograms are of the worst transformations of `images` that the search finds. At the beginning
    the flags are written, as text and for the HParams dashboard, and the classifier's graph.

    Args:
      model: a RobustModel.
      folder: TensorBoard's log folder.
      images: training images to draw examples of and to time the search on, a replica's part of
        one batch: grey levels 0..255, [batch, height, width, channels].
      labels: their class numbers, [batch].
      class_names: the names of the classes.
      first_step: the step that the run continues from.
      every: steps between logs; pictures come at every tenth.
      settings: the run's flags, name -> text.
      name: the run's name on the HParams dashboard, where two runs of one name are one trial; a
        hash of the settings by default.
      waited: gives the seconds that the training has waited for its data so far.
      times: gets the times of each log.
      drawing_search: finds the transformations of the pictures where training does not search.
    """

    def __init__(  # noqa: PLR0913
        self,
        model: RobustModel,
        folder: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        class_names: tuple[str, ...],
        first_step: int = 0,
        every: int = 100,
        settings: dict[str, str] | None = None,
        name: str | None = None,
        waited: Callable[[], float] | None = None,
        times: StepTimes | None = None,
        drawing_search: Search | None = None,
    ) -> None:
        super().__init__()
        self._robust_model = model
        self._settings, self._name = settings or {}, name
        self._writer = tf.summary.create_file_writer(str(folder))
        self._images, self._labels = tf.constant(images), tf.constant(labels)
        self._shown = data.across_classes(np.asarray(labels), _EXAMPLES)
        self._drawing_search = drawing_search
        self._class_names = class_names
        self._step = first_step
        self._every = every
        self._logs = 0
        self.times = StepTimes() if times is None else times
        self._waited = waited
        self._traced = False
        # As in a step: each replica with its own copy of the variables, which XLA does not share.
        strategy = self._strategy = model.distribute_strategy
        compiled = lambda *batch: tf.function(self._search_all, jit_compile=model.xla)(*batch)  # noqa: E731
        self._search = tf.function(lambda *batch: strategy.run(compiled, args=batch))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Describes the run and starts the clock."""
        from tensorboard.plugins.hparams import api as hparams_plugin  # loaded by those who log

        with self._writer.as_default(step=self._step):
            numbers = {k: _number(v) for k, v in self._settings.items()}
            hparams_plugin.hparams(numbers, trial_id=self._name)
            flags = "".join(f"    --{name}={text}\n" for name, text in self._settings.items())
            tf.summary.text("flags", flags)
            tf.summary.graph(self._graph())
        self._begin_window()

    def _graph(self) -> tf.Graph:
        classifier = self._robust_model.classifier
        images = tf.TensorSpec([None, *self._images.shape[1:]], tf.float32, name="images")
        call = tf.function(lambda images: classifier(images, training=False))
        return call.get_concrete_function(images).graph

    def on_steps_end(self, steps: int, logs: dict[str, Any]) -> None:
        """Writes a log when it is time."""
        self._step += steps
        self._window += steps
        if not is_due(self._step, steps, self._every):
            return
        seconds = (time.perf_counter() - self._start) / self._window
        with self._writer.as_default(step=self._step):
            searches = self._write_scalars(logs, seconds)
            self._write_data_share(seconds)
            search = self._robust_model.search or self._drawing_search
            if self._logs % 10 == 0 and search is not None:
                tf.summary.image("worst-case examples", self._draw_examples(search))
        self._writer.flush()
        self._logs += 1
        if self._traced:
            self.times.steps.append(seconds)
            self.times.searches.extend(searches)
        self._traced = True
        self._robust_model.reset_metrics()
        self._begin_window()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the log."""
        self._writer.close()

    def _begin_window(self) -> None:
        self._start, self._window = time.perf_counter(), 0
        self._waited_before = self._waited() if self._waited else 0.0

    def _write_data_share(self, seconds: float) -> None:
        if self._waited is None:
            return
        share = (self._waited() - self._waited_before) / self._window / seconds
        tf.summary.scalar("time/data_share", share)
        if self._traced:
            self.times.data_shares.append(share)

    def _write_scalars(self, logs: dict[str, Any], seconds: float) -> list[float]:
        """Writes the scalars and the histograms; returns the time of a search, if there is one."""
        for name, value in logs.items():
            tf.summary.scalar(f"train/{name}", float(value))
        tf.summary.scalar("train/learning_rate", compat.learning_rate(self._robust_model.optimizer))
        tf.summary.scalar("time/seconds_per_step", seconds)
        if self._robust_model.search is None:
            return []
        search_seconds = self._time_search()
        if self._step <= self._robust_model.search_from:
            search_seconds = 0.0  # These steps drew at random.
        for axis, values in zip(self._robust_model.search.transformations.axes, self._worst.T):
            tf.summary.histogram(f"worst/{axis.name}_{axis.unit}", values)
        tf.summary.scalar("time/search_share", search_seconds / seconds)
        return [search_seconds]

    def _time_search(self) -> float:
        seed = tf.constant([self._robust_model.seed, self._step])
        if not self._traced:
            self._search(self._images, self._labels, seed)  # traces and compiles
        start = time.perf_counter()
        found = self._search(self._images, self._labels, seed)
        found = [self._strategy.experimental_local_results(each)[0].numpy() for each in found]
        seconds = time.perf_counter() - start
        self._worst = found[0]
        return seconds

    def _search_all(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
        """Returns what each search of a step finds."""
        model = self._robust_model
        # Each has draws of its own, as in a step: equal ones would be judged once for both.
        return [
            model.worst_transformations(images, labels, seed + i, objective)
            for i, objective in enumerate(model.objectives)
        ]

    def _draw_examples(self, search: Search) -> tf.Tensor:
        model = self._robust_model
        images = tf.cast(tf.gather(self._images, self._shown), tf.float32)
        labels = tf.gather(self._labels, self._shown)
        if model.search is None:
            objective, seed = losses.OBJECTIVES["ce"], tf.constant([model.seed, self._step])
            parameters = search(model.logits, images, labels, objective, seed)
        else:
            parameters = self._worst[self._shown]
        figure = examples.draw(
            model.logits, search.transformations, search.warp, images, labels, parameters,
            self._class_names,
        )  # fmt: skip
        return tf.io.decode_png(figures.to_png(figure), channels=3)[None]


def log_accuracies(
    folder: pathlib.Path, step: int, accuracies: dict[str, float], kind: str = "test"
) -> None:
    """Writes a run's accuracies at its end to its log, for the HParams dashboard too.

    Args:
      folder: TensorBoard's log folder.
      step: the last step of training.
      accuracies: name -> value in [0, 1].
      kind: of the images, "test" or "validation".
    """
    with tf.summary.create_file_writer(str(folder)).as_default(step=step) as writer:
        for name, accuracy in accuracies.items():
            tf.summary.scalar(f"{kind}/{name}_accuracy", accuracy)
        writer.close()


class Profile(StepCallback):
    """Profiles some steps of `fit`, for TensorBoard's profile page.

    Where one execution takes several steps, those that begin from the first step on.

    Args:
      folder: TensorBoard's log folder.
      first: the first step to profile; one after the first that is taken, which has the tracing.
      last: the last step to profile.

    Raises:
      TypeError: a step is not an integer.
      ValueError: the first step is less than 2, or the last one before the first.
    """

    def __init__(self, folder: pathlib.Path, first: int, last: int) -> None:
        super().__init__()
        self._folder = str(folder)
        self._first = validation.check_integer("the first step to profile", first, 2)
        self._last = validation.check_integer("the last step to profile", last, first)
        self._step, self._running, self._done = 0, False, False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts before the first step."""
        if not self._done and self._step + 1 >= self._first:
            tf.profiler.experimental.start(self._folder)
            self._running = self._done = True

    def on_steps_end(self, steps: int, logs: dict[str, Any]) -> None:
        """Stops after the last step."""
        self._step += steps
        if self._step >= self._last:
            self._stop()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Stops where training ends before the last step."""
        self._stop()

    def _stop(self) -> None:
        if self._running:
            tf.profiler.experimental.stop()
        self._running = False


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
