"""Evaluator: how robust any classifier is to rotations, translations and all else in S."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.classifiers import loading
from spatial_keras.classifiers.adapter import Classifier
from spatial_keras.classifiers.images import images_per_pass
from spatial_keras.classifiers.labels import class_numbers
from spatial_keras.evaluation import grid, inputs, profile
from spatial_keras.evaluation.attack import UNSATURATED, Attack
from spatial_keras.evaluation.grid import OnProgress, WorstPoints
from spatial_keras.evaluation.identity import Identity
from spatial_keras.evaluation.judge import Judge
from spatial_keras.evaluation.outcome import GridOutcome, Outcome, Profile
from spatial_keras.evaluation.sample import Sample
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.support import validation
from spatial_keras.training.gradient_search import GradientSearch
from spatial_keras.training.robust_model import RobustModel


class Evaluator:
    """Evaluates a classifier on images, untouched and transformed.

    Every method returns an `Outcome`: accuracy, its 95% confidence interval, and for each image
    whether it is right and the worst transformation found.

    Args:
      classifier: a tf.keras.Model or a function of images that gives logits or probabilities
        [batch, classes], or [batch, 1] for two classes, or the path of one (see `load`). Of a
        RobustModel its classifier. What cannot run in a graph of TensorFlow is a black box, called
        with arrays: it can be evaluated but for `gradient` and `attack`.
      images: pixel values 0..255, [n, height, width, channels]; or a tf.data.Dataset, batched, or
        Sequence of (images, labels), which is read into memory.
      labels: class numbers, whole numbers [n], or distributions over the classes (one-hot),
        [n, classes], of which the likeliest counts; None with a tf.data.Dataset or Sequence.
      transformations: the set S; the paper's by default.
      warp: applies the transformations; the paper's by default.
      input_range: what the classifier expects for black (pixel value 0) and white (255), e.g.
        (0, 1) or (-1, 1). Transformations come before this scaling, so that what comes in from
        outside of an image is black.
      outputs: "logits", "probabilities", or "auto": the last layer or operation tells, else the
        outputs for all images.
      output: which output, by its name or number, of a classifier that gives several.
      batch_size: images per forward pass; by default 256, or 512 where there is a GPU, for each
        replica of the tf.distribute strategy that the classifier was built under, and fewer of
        large images, so that the warp of a pass takes at most 256 MB.
      xla: compile the passes with XLA.
      places: of each image its place in the set that these are a part of, which its draws depend
        on, int [n]; 0 to n - 1 by default.
      names: what tables call each image, such as its file, [n]; by default its place.
      class_names: what they call each class; its number by default, and where the classifier has
        another number of classes.
      allow_varying: whether `grid`, `grid_map` and `attack` may be asked of a classifier whose
        outputs for an image depend on chance or on other images. The worst of many answers is then
        worse than any one transformation makes it.

    Attributes:
      images: pixel values, [n, height, width, channels].
      number: how many images.
      sample: what is known of them: labels, names, size, S.
      labels: int32 [n].
      num_classes: the classifier's number of classes.
      judge: says what the classifier makes of images, by their numbers, under transformations.
      warp: applies these.
      has_gradient: whether it can be asked for `gradient` and `attack`.
      notes: what a reader of the results should know.

    Raises:
      TypeError, ValueError: images, labels and classifier do not go together, or are not allowed.
    """

    def __init__(  # noqa: PLR0913 - in the manner of Keras
        self,
        classifier: tf.keras.Model | Callable[..., tf.Tensor] | str | os.PathLike,
        images: np.ndarray | tf.data.Dataset,
        labels: np.ndarray | None = None,
        *,
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        input_range: Sequence[float] = (0.0, 255.0),
        outputs: str = "auto",
        output: str | int | None = None,
        batch_size: int | None = None,
        xla: bool = False,
        places: np.ndarray | None = None,
        names: Sequence[object] | np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        allow_varying: bool = False,
    ) -> None:
        if isinstance(classifier, (str, os.PathLike)):
            classifier = loading.load(classifier)
        if isinstance(classifier, RobustModel):
            classifier = classifier.classifier
        images, labels = inputs.arrays(images, labels)
        self.images, self.number = images, len(images)
        self._places = inputs.places_of(places, self.number)
        self.transformations = TransformationSet() if transformations is None else transformations
        self.transformations.check_fits(*images.shape[1:3])
        warp = self.warp = (warp or SpatialWarp.fastest(xla=xla)).along(self.transformations)
        adapted = self._adapted = Classifier(
            classifier, images.shape[1:], input_range, outputs, output, images
        )
        self._allow_varying = allow_varying
        self.num_classes, self.notes = adapted.num_classes, adapted.notes
        self.has_gradient = not adapted.is_black_box
        self.labels = class_numbers(labels, self.num_classes)
        class_names = inputs.class_names_of(class_names, self.num_classes)
        names, size = inputs.names_of(names, self._places), (images.shape[1], images.shape[2])
        self.sample = Sample(self.labels, class_names, names, size, self.transformations)
        settings = (*warp.settings, tuple(input_range), outputs, output)
        # What a function gives for some images stands for weights that nobody sees.
        has_weights = hasattr(classifier, "get_weights") or hasattr(classifier, "variables")
        seen = [] if has_weights else [adapted.tried]
        self._identity = Identity(classifier, repr(settings), [images, self.labels, *seen])
        strategy = getattr(classifier, "distribute_strategy", tf.distribute.get_strategy())
        if batch_size is None:
            most = 512 if tf.config.list_physical_devices("GPU") else 256
            batch_size = images_per_pass(images.shape[1:], most) * strategy.num_replicas_in_sync
        validation.check_integer("batch_size", batch_size, 1)
        self.judge = Judge(adapted, images, self.labels, warp, batch_size, xla, strategy)

    def natural(self) -> Outcome:
        """Evaluates the untouched images."""
        start = time.perf_counter()
        parameters = np.tile(self.transformations.identity, [self.number, 1])
        verdicts = self.judge(np.arange(self.number), parameters)
        return Outcome(
            "natural", verdicts.right, parameters, verdicts.margins, verdicts.predictions,
            self.number, *self._origin(start),
        )  # fmt: skip

    def random(self, draws: int = 1, seed: int = 0) -> Outcome:
        """Evaluates under uniform draws from S; the accuracy is the mean over images and draws.

        Args:
          draws: how many for each image.
          seed: of the draws.
        """
        start = time.perf_counter()
        parameters = self._draws(draws, seed)
        index = np.repeat(np.arange(self.number), draws)
        margins = self.judge(index, parameters.reshape(index.size, -1)).margins.reshape(-1, draws)
        rows, worst = np.arange(self.number), margins.argmin(axis=1)
        right = (margins >= 0).mean(axis=1) if draws > 1 else margins[:, 0] >= 0
        found, smallest = parameters[rows, worst], margins[rows, worst]
        there = self._predictions(found, smallest)
        origin = self._origin(start)
        return Outcome("random", right, found, smallest, there, index.size, *origin)

    def worst_of_k(self, k: int = 10, seed: int = 0) -> Outcome:
        """Counts an image as right if it is right under all of k uniform draws from S.

        Args:
          k: how many draws for each image.
          seed: of the draws; the first is that of `random`.
        """
        return self._worst_of("worst_of_k", (draw for draw in self._draws(k, seed).swapaxes(0, 1)))

    def gradient(self, steps: int = 10, restarts: int = 1, seed: int = 0) -> Outcome:
        """Counts an image as right if it is right where each ascent of S-PGD ends.

        The ascent is that of `GradientSearch` on the cross-entropy, from a uniform draw from S.
        Where an image's logits lie further apart than 10 they are first brought that close
        together: beyond it the cross-entropy loses its slope, and the ascent its direction.

        Args:
          steps: gradient steps of each ascent.
          restarts: how many ascents for each image.
          seed: of the starts; the first is the first draw of `random`.
        """
        self._check_gradient("gradient")
        validation.check_integer("restarts", restarts, 1)
        search = GradientSearch(steps, self.transformations, self.judge.smooth_warp)
        climb = self.judge.climber(search, UNSATURATED)
        starts = self._draws(restarts, seed).swapaxes(0, 1)
        ends = (climb(np.arange(self.number), start) for start in starts)
        return self._worst_of("gradient", ends, passes_before=steps)

    def grid(
        self,
        counts: Sequence[int] | None = None,
        natural: Outcome | None = None,
        partial: str | os.PathLike | None = None,
        on_progress: OnProgress | None = None,
    ) -> GridOutcome:
        """Counts an image as right if it is right at all points of a grid over S ("rob").

        The result is that of the exhaustive evaluation, image by image, to rounding: margins change
        by some 1e-6 with the size of the batch. An image is done when a point breaks it, and the
        points likeliest to do so are tried first, so that the passes left are those that surviving
        images need: all points of the grid.

        Args:
          counts: the grid's points along each axis of S; the axes' own by default, if that makes
            100,000 at most. With an even number the untouched image is not among them.
          natural: what `natural` returned, which saves its passes.
          partial: a file for the state every half a minute; if it exists, the evaluation continues
            from there, if it is the same one. It is removed at the end.
          on_progress: called after each pass with (passes done, passes open at most, images
            that survived).
        """
        self._check_varying("grid")
        start = time.perf_counter()
        counts, points = grid.points_of(self.transformations, counts)
        if natural is not None:
            self._identity.check("natural", natural)
        known, identity = None if natural is None else natural.margins, ""
        if partial is not None:
            partial, identity = pathlib.Path(partial), self._identity.at(points)
            partial.parent.mkdir(parents=True, exist_ok=True)
        found = grid.worst_points(
            self.judge, self.number, points, known, partial, on_progress, identity,
            self.transformations.identity,
        )  # fmt: skip
        if partial is not None:
            partial.unlink(missing_ok=True)
        return self._grid_outcome(found, counts, points, start)

    def attack(
        self,
        grid_outcome: GridOutcome,
        steps: int = 10,
        refinements: int = 50,
        seed: int = 0,
    ) -> Outcome:
        """Attacks the images that survived the grid anywhere in S: a tighter bound on robustness.

        From the (up to five) most damaging grid points of each such image, signed gradient descent
        on the margin, then random steps around the worst point, both with shrinking steps. The
        budget is at most 5 * (steps + 1) + refinements passes for an image. Where the warp shows
        nearest pixels, the descent is that of bilinear ones, and takes 5 * steps passes more.

        Args:
          grid_outcome: what `grid` returned.
          steps: gradient steps from each point.
          refinements: random steps.
          seed: of the random steps.

        Returns:
          `right`: images that survived the grid and this.
        """
        start = time.perf_counter()
        self._check_varying("attack")
        self._check_gradient("attack")
        self._identity.check("grid_outcome", grid_outcome)
        validation.check_integer("steps", steps, 1)
        validation.check_integer("refinements", refinements, 0)
        spacing = self.transformations.spacing(tuple(map(int, grid_outcome.counts)))
        attack = Attack(self.judge, self.transformations, spacing, self._places)
        right, margins = grid_outcome.right.copy(), grid_outcome.margins.copy()
        worst, images = grid_outcome.transformations.copy(), np.flatnonzero(grid_outcome.right)
        worst[images], margins[images] = attack(
            images, grid_outcome.damaging[images], margins[images], steps, refinements, seed
        )
        right[images] = margins[images] >= 0
        found = worst, margins, self._predictions(worst, margins)
        return Outcome("attack", right, *found, attack.passes, *self._origin(start))

    def profile(
        self,
        natural: Outcome,
        grid_outcome: GridOutcome,
        margins: np.ndarray | None = None,
        share: float = 1.0,
        on_progress: profile.OnProgress | None = None,
    ) -> Profile:
        """Finds where within the grid the images break that are right as they are.

        Of each such image the smallest point that breaks it, and at which value of each axis it is
        right whatever the others: at most all points of the grid, for an image that breaks.

        Args:
          natural: what `natural` returned.
          grid_outcome: what `grid` or `grid_map` returned.
          margins: those of `grid_map`, [n, points], which save the passes.
          share: of the images, in (0, 1], that are looked at; they are drawn by their places.
          on_progress: called after each pass with (passes done, passes open at most).
        """
        start = time.perf_counter()
        self._check_varying("profile")
        self._identity.check("natural", natural)
        self._identity.check("grid_outcome", grid_outcome)
        points = self.transformations.grid(tuple(map(int, grid_outcome.counts)))
        sizes = self.transformations.sizes(points)
        search = profile.Search(self.judge, points, sizes, on_progress)
        looked_at = profile.drawn(self._places, share)
        worst, found, along = search.of(natural, grid_outcome, margins, looked_at)
        return Profile(
            "profile", grid_outcome.right, worst, found, self._predictions(worst, found),
            search.passes, *self._origin(start), natural.right & looked_at, along,
            grid_outcome.counts,
        )  # fmt: skip

    def grid_map(
        self,
        folder: str | os.PathLike,
        counts: Sequence[int] | None = None,
        on_progress: OnProgress | None = None,
    ) -> GridOutcome:
        """Evaluates every image at every point of the grid, and writes what it finds to disk.

        Nothing is pruned, so it takes all passes and finds the worst point of every image. What is
        found is written as it comes; a call that was killed continues where it was.

        Args:
          folder: gets `margins.npy` and `losses.npy`, float32 [n, points], and `grid.npy`, float32
            [points, axes], for `np.load(..., mmap_mode="r")`; a prediction is right where its
            margin is at least 0. Refused if it exists.
          counts: the grid's points along each axis of S.
          on_progress: as for `grid`.
        """
        start = time.perf_counter()
        self._check_varying("grid_map")
        folder = pathlib.Path(folder)
        if folder.exists():
            raise ValueError(f"{folder} exists already.")
        counts, points = grid.points_of(self.transformations, counts)
        found = grid.write_map(
            self.judge, self.number, points, folder, on_progress, self._identity.at(points)
        )
        return self._grid_outcome(found, counts, points, start)

    def _check_varying(self, name: str) -> None:
        if self._adapted.depends_on and not self._allow_varying:
            raise ValueError(
                f"'{name}' needs a classifier whose outputs depend on the image alone; those of "
                f"this one depend on {self._adapted.depends_on}. To ask for it all the same, give "
                "allow_varying=True."
            )

    def _check_gradient(self, name: str) -> None:
        if not self.has_gradient:
            raise ValueError(
                f"'{name}' needs a classifier with a gradient, and this one is a black box: "
                "worst_of_k and grid need none."
            )

    def _grid_outcome(
        self, found: WorstPoints, counts: Sequence[int], points: np.ndarray, start: float
    ) -> GridOutcome:
        damaging, margins = points[found.points], found.margins[:, 0]
        predictions = self._predictions(damaging[:, 0], margins)
        return GridOutcome(
            "grid", margins >= 0, damaging[:, 0], margins, predictions, found.passes,
            *self._origin(start), damaging, np.array(counts), self.number * len(points),
        )  # fmt: skip

    def _predictions(self, transformations: np.ndarray, margins: np.ndarray) -> np.ndarray:
        """Returns the predictions under transformations [n, axes], judging where they are wrong."""
        predictions, wrong = self.labels.copy(), np.flatnonzero(margins < 0)
        if len(wrong):
            predictions[wrong] = self.judge(wrong, transformations[wrong]).predictions
        return predictions

    def _origin(self, start: float) -> tuple[float, str, Sample]:
        """Returns of an outcome that was begun then seconds, source and sample."""
        return time.perf_counter() - start, self._identity.source(), self.sample

    def _draws(self, draws: int, seed: int) -> np.ndarray:
        """Draws parameters [n, draws, axes]; fewer draws, or of fewer places, are the first."""
        validation.check_integer("number of draws", draws, 1)
        shape, sample = [self._places.max() + 1], self.transformations.sample
        drawn = [sample([seed, draw], shape).numpy()[self._places] for draw in range(draws)]
        return np.stack(drawn, axis=1)

    def _worst_of(self, name: str, candidates: Any, passes_before: int = 0) -> Outcome:
        """Judges surviving images at candidates, an iterable of parameters [n, axes].

        Args:
          name: of the outcome.
          candidates: parameters [n, axes], one after the other.
          passes_before: passes that finding a candidate took, for each image.
        """
        start = time.perf_counter()
        worst = np.tile(self.transformations.identity, [self.number, 1])
        margins, passes = np.full(self.number, np.inf, np.float32), 0
        for parameters in candidates:
            index = np.flatnonzero(margins >= 0)
            passes += self.number * passes_before + len(index)
            if not len(index):
                break
            found = self.judge(index, parameters[index]).margins
            index, found = index[found < margins[index]], found[found < margins[index]]
            margins[index], worst[index] = found, parameters[index]
        there = self._predictions(worst, margins)
        return Outcome(name, margins >= 0, worst, margins, there, passes, *self._origin(start))
