"""The search for the worst transformation of each image (paper, section 3.2).

A search takes a classifier, images, labels, an objective and a seed, and returns for each image
parameters in S at which the objective is high. The classifier runs in inference mode.

All that others need to know of a search stands in its class: how rows of the table and the paper
name it, what it costs, which of its arguments are flags. `register_search` makes it known by name.
Commands read that before they load TensorFlow, so the modules of searches import it when they run.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from spatial_keras.support import validation

if TYPE_CHECKING:
    import tensorflow as tf

    from spatial_keras.geometry.transformations import TransformationSet
    from spatial_keras.geometry.warp import SpatialWarp
    from spatial_keras.training import losses
else:
    from spatial_keras.support.lazy import tf

# Maps images [batch, height, width, channels] and `training` to logits [batch, classes].
Classifier = Callable[..., "tf.Tensor"]


@dataclasses.dataclass(frozen=True)
class SearchOption:
    """An argument of a search that is a flag of the commands too, --PREFIX_NAME.

    Attributes:
      name: the argument's.
      kind: str, int or float: the type of a value.
      help: what it is, with its unit and its default.
      count: how many values there are, in a tuple; None for a single one.
      per_axis: whether there is one for each axis of S, in a tuple.
      choices: the texts allowed.
      low: the smallest number allowed.
      most: the largest number that anybody can mean.
      check: check(name, value) raises ValueError or TypeError for what these let pass.
    """

    name: str
    kind: type
    help: str
    count: int | None = None
    per_axis: bool = False
    choices: tuple[str, ...] | None = None
    low: float | None = None
    most: float | None = None
    check: Callable[[str, Any], Any] | None = None


class Search:
    """Finds for each image a transformation in S of high objective.

    A search of one's own overrides `candidates`, where it judges candidates that it knows
    beforehand, or `__call__`. The arguments of its constructor are attributes of the same name.

    Attributes:
      prefix: begins the names of its rows in the table of defenses, such as "wo"; small letters.
      number: the argument that the number in these names is, such as "k" in "wo10_kl"; None if
        there is none.
      num_candidates: how many candidates it judges for each image; by default that number.
      passes_per_candidate: passes of the network that one costs (`training.passes`).
      most_candidates: more than these nobody can mean.
      needs_gradient: whether its warp must be differentiable in the parameters.
      options: its arguments that are flags.

    Args:
      transformations: the set S; the paper's by default.
      warp: applies the transformations; `SpatialWarp()` by default.
    """

    prefix: ClassVar[str]
    number: ClassVar[str | None] = None
    passes_per_candidate: ClassVar[int] = 1
    most_candidates: ClassVar[int] = 10_000
    needs_gradient: ClassVar[bool] = False
    options: ClassVar[tuple[SearchOption, ...]] = ()
    # How many candidates of each image go through the network at once; None for all.
    candidates_per_pass: int | None = None

    def __init__(
        self, transformations: TransformationSet | None = None, warp: SpatialWarp | None = None
    ) -> None:
        from spatial_keras.geometry.transformations import TransformationSet
        from spatial_keras.geometry.warp import SpatialWarp

        self.transformations = TransformationSet() if transformations is None else transformations
        self.warp = (warp or SpatialWarp()).along(self.transformations)

    @property
    def in_paper(self) -> str:
        """Its name as people write it, such as "Wo-10"."""
        number = "" if self.number is None else f"-{self.arguments[self.number]}"
        return f"{self.prefix}{number}"

    @property
    def num_candidates(self) -> int:
        """How many candidates it judges for each image, or steps it takes."""
        if self.number is None:
            name = type(self).__name__
            raise NotImplementedError(f"{name} has neither number nor num_candidates.")
        return self.arguments[self.number]

    @property
    def searches(self) -> bool:
        """Whether there is anything to search: a single candidate is a draw, and costs no pass."""
        return self.num_candidates > 1

    def candidates(self, batch_size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the parameters to judge for each image, [batch_size, candidates, axes].

        Args:
          batch_size: the number of images.
          seed: see `__call__`.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither candidates nor __call__.")

    def __call__(
        self,
        classifier: Classifier,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the worst parameters found: by default the worst of the candidates.

        Args:
          classifier: maps images to logits [batch, classes].
          images: pixel values 0..255, [batch, height, width, channels].
          labels: class numbers, integer [batch], or distributions, [batch, classes].
          objective: what to maximize.
          seed: two integers; the same seed gives the same draws. Under tf.distribute all replicas
            get the same one; `transformations.sample_batch` draws for the images of one of them.

        Returns:
          Parameters along the axes of S, float32 [batch, axes].
        """
        candidates = self.candidates(tf.shape(images)[0], seed)
        if candidates.shape[1] == 1:
            return candidates[:, 0]
        return self.worst_of(candidates, classifier, images, labels, objective)

    def check_objective(self, objective: losses.Objective) -> None:
        """Raises ValueError if this search cannot maximize the objective; by default it can."""

    def worst_of(
        self,
        candidates: tf.Tensor,
        classifier: Classifier,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
    ) -> tf.Tensor:
        """Returns each image's candidate of the highest objective, of equal ones the first.

        Args:
          candidates: parameters [batch, n, axes].
          classifier: see `__call__`, as the others.
          images: the images.
          labels: the labels.
          objective: what to maximize.

        Returns:
          Parameters [batch, axes].
        """
        from spatial_keras.training.candidates import worst_candidate

        reference = objective.reference_of(classifier, images, labels)
        judge = functools.partial(self.values, classifier, objective, images, reference)
        per_pass = self.candidates_per_pass or candidates.shape[1]
        return worst_candidate(judge, candidates, per_pass)

    def values(
        self,
        classifier: Classifier,
        objective: losses.Objective,
        images: tf.Tensor,
        reference: tf.Tensor,
        parameters: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the objective of the images transformed, in inference mode.

        Args:
          classifier: maps images to logits.
          objective: what to compute.
          images: [batch, height, width, channels].
          reference: what the objective compares with (`Objective.reference_of`).
          parameters: [batch, n, axes].

        Returns:
          [batch, n].
        """
        from spatial_keras.geometry import sampling

        number = parameters.shape[1]
        warped = self.warp(images, parameters)
        warped = tf.reshape(warped, [-1, *sampling.size_of(images), images.shape[-1]])
        logits = classifier(warped, training=False)
        values = objective.function(tf.repeat(reference, number, axis=0), logits)
        return tf.reshape(values, [-1, number])

    @classmethod
    def flags(cls) -> dict[str, SearchOption]:
        """Returns its arguments that are flags, by the flags' names."""
        return {f"{cls.prefix}_{option.name}": option for option in cls.options}

    def replace(self, **arguments: Any) -> Search:
        """Returns a search like this one with other arguments, such as another S."""
        return type(self)(**{**self.arguments, **arguments})

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {name: _serialized(value) for name, value in self.arguments.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Search:
        """Builds the search from its configuration."""
        config = dict(config)
        for name in ("transformations", "warp"):
            config[name] = tf.keras.utils.deserialize_keras_object(config[name])
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{type(self).__name__}({arguments})"


def _serialized(value: Any) -> Any:
    if hasattr(value, "get_config"):
        return tf.keras.utils.serialize_keras_object(value)
    return list(value) if isinstance(value, tuple) else value


# Prefix -> search.
SEARCHES: dict[str, type[Search]] = {}
# Those that Keras does not know yet, as it is not there, with their packages.
_UNKNOWN_TO_KERAS: list[tuple[type[Search], str]] = []
_Kind = TypeVar("_Kind", bound=type[Search])


def register_search(package: str) -> Callable[[_Kind], _Kind]:
    """Returns a decorator by which a search is found: in names of defenses, flags, saved models.

    Args:
      package: of the class, in saved models (`tf.keras.utils.register_keras_serializable`).

    Raises:
      TypeError: the class does not say its prefix, or how many candidates it judges.
      ValueError: the prefix is not of small letters, or is that of another class.
    """

    def register(search: _Kind) -> _Kind:
        counts = search.number or search.num_candidates is not Search.num_candidates
        if not hasattr(search, "prefix") or not counts:
            raise TypeError(
                f"search {search.__name__} needs 'prefix', and 'number' or 'num_candidates', to be "
                "found by name."
            )
        if not re.fullmatch("[a-z]+", search.prefix) or search.prefix == "std":
            raise ValueError(f"prefix must be small letters, not 'std', got '{search.prefix}'.")
        validation.check_unclaimed("prefix", search.prefix, search, SEARCHES)
        SEARCHES[search.prefix] = search
        _UNKNOWN_TO_KERAS.append((search, package))
        if "tensorflow" in sys.modules:
            register_with_keras()
        return search

    return register


def register_with_keras() -> None:
    """Makes Keras know the searches for models that are saved and loaded."""
    while _UNKNOWN_TO_KERAS:
        search, package = _UNKNOWN_TO_KERAS.pop()
        tf.keras.utils.register_keras_serializable(package)(search)
