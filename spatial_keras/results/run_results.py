"""What a finished run found, typed; as JSON it is `results.json`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from spatial_keras.configuration import options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.support import validation

_MOST = 2**63 - 1
# What makes no difference, or what standard errors are over.
_REPEATS = ("seed", "checkpoint_every", "log_every", "training_accuracy_images")


@dataclasses.dataclass(frozen=True)
class Accuracies:
    """Accuracies on some images, in [0, 1]; None where they were not measured.

    Attributes:
      natural: on the images as they are.
      random: on random transformations of them.
      grid: the share that is right under all transformations of a grid.
      images: how many images; None if that is not known.
    """

    natural: float | None = None
    random: float | None = None
    grid: float | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        for name, accuracy in self.measured.items():
            validation.check_range(f"{name} accuracy", accuracy, 0, 1)
        if self.images is not None:
            validation.check_integer("images", self.images, 1, _MOST)

    @property
    def measured(self) -> dict[str, float]:
        """Those that were measured, by name."""
        found = {name: getattr(self, name) for name in ("natural", "random", "grid")}
        return {name: accuracy for name, accuracy in found.items() if accuracy is not None}


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds that training took; None where they were not measured.

    Attributes:
      train_seconds: all of it.
      seconds_per_step: of a step.
      seconds_per_search: of them in the search.
      seconds_per_gradient: of them beyond the search, a difference of times.
      data_share: the share of the time in which training waits for data, in [0, 1].
    """

    train_seconds: float | None = None
    seconds_per_step: float | None = None
    seconds_per_search: float | None = None
    seconds_per_gradient: float | None = None
    data_share: float | None = None

    def __post_init__(self) -> None:
        for name, seconds in vars(self).items():
            if seconds is not None:
                # A difference of times falls below 0 where other programs run.
                low = None if name == "seconds_per_gradient" else 0
                validation.check_range(name, seconds, low, sys.float_info.max)


@dataclasses.dataclass(frozen=True)
class Results:
    """What a finished run found.

    Attributes:
      config: what the run was.
      accuracies: on the test images, or on those that were held out.
      train_images: how many it trained on.
      training_accuracies: on training images, if they were measured.
      timing: of the training.
      replicas: how many devices took part.
      damaged_images_left_out: of its data set; None if they were not to be left out.
      versions: of what the results depend on, name -> version.
      notes: what to know of the images.
    """

    config: RunConfig
    accuracies: Accuracies
    train_images: int
    training_accuracies: Accuracies | None = None
    timing: Timing = dataclasses.field(default_factory=Timing)
    replicas: int = 1
    damaged_images_left_out: int | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = {"natural", "random", "grid"} - self.accuracies.measured.keys()
        if missing or self.accuracies.images is None:
            raise ValueError(f"accuracies must have {sorted(missing) or 'images'}.")
        validation.check_integer("train_images", self.train_images, 1, _MOST)
        validation.check_integer("replicas", self.replicas, 1, _MOST)
        if self.damaged_images_left_out is not None:
            validation.check_integer("damaged images", self.damaged_images_left_out, 0, _MOST)
        if not all(isinstance(text, str) for text in _named(self.versions, "versions").values()):
            raise TypeError("versions must be texts.")
        if not all(isinstance(note, str) for note in self.notes):
            raise TypeError("notes must be texts.")

    @property
    def evaluated_on(self) -> str:
        """What the run was evaluated on, such as "360 test images"."""
        kind = "test" if self.config.validation_images is None else "held-out training"
        return f"{self.accuracies.images:,} {kind} images"

    @property
    def setting(self) -> RunConfig:
        """What the run has in common with its repetitions, to be compared with that of others.

        It is the configuration with the number of training images and the weight of the regularizer
        that it had; the seed and what makes no difference have their defaults.
        """
        repeated = {
            flag.field: flag.default
            for flag in options.own_flags(RunConfig)
            if flag.field in _REPEATS or not flag.option.recorded
        }
        return dataclasses.replace(
            self.config,
            **repeated,
            train_images=self.train_images,
            lambda_=self.config.regularizer_weight,
        )

    def measure(self, name: str) -> float | None:
        """Returns an accuracy in %, or a time in seconds; None if it was not measured."""
        if hasattr(self.timing, name):
            return getattr(self.timing, name)
        accuracy = getattr(self.accuracies, name)
        return None if accuracy is None else 100 * accuracy

    def to_json(self) -> str:
        """Returns all that is known as JSON; of the configuration the flags, as texts."""
        found = {"flags": self.config.texts()}
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if value not in (None, ()):
                found[field.name] = value
        return json.dumps(found, default=dataclasses.asdict, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Results:
        """Returns the results that `to_json` wrote.

        Raises:
          ValueError, TypeError: it did not write this, or it cannot be true.
        """
        try:
            found = _named(json.loads(text), "results")
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        found["config"] = options.from_texts(RunConfig, _named(found.pop("flags", None), "flags"))
        if "notes" in found:
            found["notes"] = tuple(found["notes"])
        for name, kind in _PARTS.items():
            if name in found:
                found[name] = kind(**_named(found[name], name))
        return cls(**found)


_PARTS = {"accuracies": Accuracies, "training_accuracies": Accuracies, "timing": Timing}


def _named(found: Any, name: str) -> dict[str, Any]:
    """Returns an object of JSON."""
    if not isinstance(found, dict):
        raise TypeError(f"{name} must be values by name, got {str(found)[:40]!r}.")
    return found
