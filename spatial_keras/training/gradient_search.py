"""S-PGD: the search for the worst transformation by gradient ascent (paper, section 3.2)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spatial_keras.support import validation
from spatial_keras.training.search import Classifier, Search, SearchOption, register_search

if TYPE_CHECKING:
    import tensorflow as tf

    from spatial_keras.geometry.transformations import TransformationSet
    from spatial_keras.geometry.warp import SpatialWarp
    from spatial_keras.training import losses
else:
    from spatial_keras.support.lazy import tf

_STARTS = ("random", "zero")
# Passes of the network: forwards, and back to the image.
_TO_THE_IMAGE = 2


def _check_step_sizes(name: str, sizes: Sequence[float]) -> tuple[float, ...]:
    if not any(sizes):
        raise ValueError(f"{name} must not all be 0, got '{','.join(f'{s:g}' for s in sizes)}'.")
    return tuple(sizes)


@register_search("spatial_keras")
class GradientSearch(Search):
    """S-PGD: signed gradient ascent along the axes of S, projected onto S after every step.

    The gradient is that of the warp itself. (The original's attack climbed along a sampler of its
    own, which shifted half as far and half a pixel off.) On whole pixels it is one-sided, so a
    random start is the better one.

    Args:
      steps: the number of gradient steps.
      transformations: the set S; the paper's by default.
      warp: applies the transformations; `SpatialWarp()` by default. Its implementation must have a
        gradient in the parameters: "auto" or "gather", and its interpolation be "bilinear".
      step_sizes: how far one step moves along each axis, tx, ty (pixels), rotation (degrees); by
        default a quarter of the way from the middle to an end. The original's are (2, 2, 2).
      start: "random", at a uniform draw from S; or "zero", at the untouched image, where "kl" and
        "l2" have no gradient.
      images_per_pass: how many images go through the network at once; None for the whole batch
        (fastest). Fewer need less memory.

    Raises:
      TypeError: steps or images_per_pass is not an integer, or a step size not a number.
      ValueError: steps or images_per_pass is less than 1, a step size is negative, there is not
        one for each axis, they are all 0, the start is another one, or the warp has no gradient.
    """

    prefix, number = "pgd", "steps"
    passes_per_candidate, needs_gradient, searches = _TO_THE_IMAGE, True, True
    options = (
        SearchOption(
            "step_sizes",
            float,
            "Of pgd's steps along each axis of S, tx, ty (pixels), rotation (degrees), ..., e.g. "
            "2,2,2, the original's; default: a quarter of each bound.",
            per_axis=True,
            low=0,
            most=2048,
            check=_check_step_sizes,
        ),
        SearchOption(
            "start",
            str,
            "Where pgd starts: at a random point or at the untouched image; default: random.",
            choices=_STARTS,
        ),
    )

    def __init__(
        self,
        steps: int = 5,
        transformations: TransformationSet | None = None,
        warp: SpatialWarp | None = None,
        step_sizes: Sequence[float] | None = None,
        start: str = "random",
        images_per_pass: int | None = None,
    ) -> None:
        super().__init__(transformations, warp)
        if self.warp.implementation == "op":
            raise ValueError("S-PGD needs a warp with implementation 'gather' or 'auto', got 'op'.")
        if self.warp.interpolation == "nearest":
            raise ValueError("S-PGD needs a warp with interpolation 'bilinear', got 'nearest'.")
        self.steps = validation.check_integer("steps", steps, 1)
        if step_sizes is not None:
            step_sizes = self.transformations.check_columns("step_sizes", step_sizes)
            step_sizes = _check_step_sizes(
                "step_sizes",
                [float(validation.check_range("step_sizes", s, 0)) for s in step_sizes],
            )
        self.step_sizes = step_sizes
        self.start = validation.check_name("start", start, _STARTS)
        if images_per_pass is not None:
            validation.check_integer("images_per_pass", images_per_pass, 1)
        self.images_per_pass = images_per_pass

    @property
    def in_paper(self) -> str:
        """S-PGD-n."""
        return f"S-PGD-{self.steps}"

    def check_objective(self, objective: losses.Objective) -> None:
        """Raises ValueError if the objective has no gradient at the start; see `Search`."""
        if objective.reference == "natural" and self.start == "zero":
            raise ValueError(
                f"S-PGD on '{objective.name}' needs a random start: at the untouched image its "
                "gradient vanishes."
            )

    def __call__(
        self,
        classifier: Classifier,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the last point of the ascent; see `Search`.

        Raises:
          ValueError: the objective has no gradient, or none at the start.
        """
        self.check_objective(objective)
        start = tf.tile(self.transformations.identity[None], [tf.shape(images)[0], 1])
        if self.start == "random":
            start = self.transformations.sample_batch(seed, tf.shape(images)[0])
        return self.ascend(classifier, images, labels, objective, start)

    def ascend(
        self,
        classifier: Classifier,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        start: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the last point of the ascent from parameters [batch, axes]; see `Search`."""
        reference = objective.reference_of(classifier, images, labels)
        ascend = functools.partial(self._ascend, classifier, objective)
        per_pass, number = self.images_per_pass, images.shape[0]
        if per_pass is None or (number is not None and number <= per_pass):
            return tf.stop_gradient(ascend(images, reference, start))
        return tf.stop_gradient(_in_passes(ascend, images, reference, start, per_pass))

    def _ascend(
        self,
        classifier: Classifier,
        objective: losses.Objective,
        images: tf.Tensor,
        reference: tf.Tensor,
        start: tf.Tensor,
    ) -> tf.Tensor:
        quarters = self.transformations.spacing([1] * len(self.transformations.axes)) / 4
        step_sizes = quarters if self.step_sizes is None else self.step_sizes

        def advance(i: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(parameters)
                values = self.values(classifier, objective, images, reference, parameters[:, None])
                # The sum: in inference mode no image's value depends on another image.
                total = tf.reduce_sum(values)
            gradient = tape.gradient(total, parameters)
            if gradient is None:
                raise ValueError(f"S-PGD needs a gradient, and '{objective.name}' has none.")
            # A network that has diverged must not move its images to nowhere.
            direction = tf.where(tf.math.is_nan(gradient), 0.0, tf.sign(gradient))
            return i + 1, self.transformations.clip(parameters + step_sizes * direction)

        return tf.while_loop(lambda i, _: i < self.steps, advance, (0, start))[1]


def _in_passes(
    function: Callable[..., tf.Tensor],
    images: tf.Tensor,
    reference: tf.Tensor,
    start: tf.Tensor,
    per_pass: int,
) -> tf.Tensor:
    """Returns function(images, reference, start), computed on `per_pass` images at once."""
    number = tf.shape(images)[0]

    def advance(first: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The last pass is filled up with repetitions of the last image, which change nothing.
        index = tf.minimum(first + tf.range(per_pass), number - 1)
        part = function(*(tf.gather(each, index) for each in (images, reference, start)))
        return first + per_pass, tf.tensor_scatter_nd_update(found, index[:, None], part)

    return tf.while_loop(lambda first, _: first < number, advance, (0, start))[1]
