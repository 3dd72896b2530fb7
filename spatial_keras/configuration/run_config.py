"""The configuration of a run: what train.py's flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib
import warnings
from typing import TYPE_CHECKING, Any

from spatial_keras.configuration import choices, options, shared_options
from spatial_keras.configuration.flag import FOLDER
from spatial_keras.configuration.run_options import LEAST_STEPS, STEPS, RunOptions
from spatial_keras.training.search import SEARCHES

if TYPE_CHECKING:
    from spatial_keras.geometry.transformations import TransformationSet
    from spatial_keras.training.defenses import Defense

# By default of folders, which may hold few images.
FOLDER_EPOCHS = 100


@dataclasses.dataclass(frozen=True)
class RunConfig(RunOptions):
    """A training run: its flags, checked, and what follows from them."""

    def check(self) -> None:
        """Raises ValueError if flags do not go together."""
        shared_options.check_data_dir(self.data_dir)
        if None not in (self.test_images, self.validation_images):
            raise ValueError("--test_images has no effect with --validation_images.")
        if self.max_time is not None:
            options.seconds(self.max_time)
        self._check_steps()
        self._check_axes()
        search = self.row.search
        if search is not None and search.num_candidates > search.most_candidates:
            raise ValueError(
                f"--defense must search with {search.most_candidates} candidates or steps at most, "
                f"got '{self.defense}'."
            )
        if self.sync_batch_norm and self.xla == "on":
            raise ValueError("--sync_batch_norm does not go together with --xla=on.")
        self._check_network()

    def _check_axes(self) -> None:
        """Raises ValueError if a flag with a value for each axis of S has more or fewer."""
        if self.field_of_view is not None and not (self.max_pitch or self.max_yaw):
            raise ValueError("--field_of_view has no effect without --max_pitch or --max_yaw.")
        flags = {name: flag for kind in SEARCHES.values() for name, flag in kind.flags().items()}
        given = {name: values for name, values in self.search_options if flags[name].per_axis}
        if self.test_grid_counts is not None:
            given["test_grid_counts"] = self.test_grid_counts
        for name, values in given.items():
            self._axes_alone.check_columns(f"--{name}", values)

    @property
    def _axes_alone(self) -> TransformationSet:
        """A set with the axes of this run's; how far shifts go depends on the images' size."""
        from spatial_keras.geometry.transformations import TransformationSet  # loads TensorFlow

        return TransformationSet(**shared_options.further_axes(self))

    def _check_steps(self) -> None:
        if self.profile_steps and self.profile_steps[1] < self.profile_steps[0]:
            first, last = self.profile_steps
            raise ValueError(
                f"--profile_steps must be the first and the last step, got {first},{last}."
            )
        if self.epochs is not None and self.steps != STEPS:
            raise ValueError("give --steps or --epochs, not both.")
        if self.search_from and not self.epochs and self.search_from * self.steps < 1:
            raise ValueError(
                f"--search_from={self.search_from:g} is less than one of {self.steps} steps."
            )
        if self.profile_steps and not self.epochs and self.profile_steps[1] > self.steps:
            raise ValueError(
                f"--profile_steps must end at step {self.steps} at most, the run's last, got "
                f"{self.profile_steps[1]}."
            )

    def _check_network(self) -> None:
        if self.made_elsewhere and self.width != _FIELDS["width"].default:
            raise ValueError(f"--width has no effect on {self.made_elsewhere}.")
        if self.weights is not None and not self.is_application:
            raise ValueError("--weights is for --model=keras:NAME alone.")
        if self.unsafe and not self.is_model_file:
            raise ValueError("--unsafe is for --model=FILE alone.")

    @property
    def row(self) -> Defense:
        """The row of the table of defenses, with what the flags say of its search."""
        options_ = dict(self.search_options)
        return find_defense(self.defense).with_options(options_, self._axes_alone)

    def without_effect(self) -> dict[str, str]:
        """Returns the flags that have no effect on the defense, and why."""
        defense = find_defense(self.defense)
        found = {
            name: f"it does not search by {search.prefix}"
            for search in SEARCHES.values()
            for name in search.flags()
            if type(defense.search) is not search
        }
        if defense.regularizer is None:
            found["lambda"] = "its loss has no regularizer"
        if not defense.searches:
            found["search_from"] = "it does not search"
        return {name: f"on defense '{self.defense}': {reason}" for name, reason in found.items()}

    @property
    def name(self) -> str:
        """The name of the run's folder within that of the data set."""
        # Of "keras:NAME" and "zoo:NAME" the name.
        kind_and_name = self.model.rpartition(":")
        model = pathlib.Path(self.model).stem if self.is_model_file else kind_and_name[2]
        return f"{model}_{self.defense}_seed{self.seed}"

    @property
    def regularizer_weight(self) -> float | None:
        """The weight lambda of the regularizer; None where the loss has none."""
        row = find_defense(self.defense)
        weight = row.regularizer_weight if row.regularizer else None
        return weight if self.lambda_ is None else self.lambda_

    @property
    def is_model_file(self) -> bool:
        """Whether the network is read from a file."""
        return pathlib.Path(self.model).suffix in (".keras", ".h5")

    @property
    def is_application(self) -> bool:
        """Whether the network is one of tf.keras.applications."""
        return self.model.startswith(choices.APPLICATION)

    @property
    def is_of_zoo(self) -> bool:
        """Whether the network is a classifier of the zoo."""
        return self.model.startswith(choices.ZOO)

    @property
    def made_elsewhere(self) -> str | None:
        """What the network is, in words, where it is none of `models`, of a width to choose."""
        kinds = {
            "a model from a file": self.is_model_file,
            "a classifier of the zoo": self.is_of_zoo,
            "a network of Keras's": self.is_application,
        }
        return next((kind for kind, found in kinds.items() if found), None)

    @property
    def is_folder(self) -> bool:
        """Whether the images are those of a folder."""
        return self.dataset.startswith(FOLDER)

    @property
    def dataset_name(self) -> str:
        """The name of the data set within paths: of folder:PATH that of the folder."""
        if not self.is_folder:
            return self.dataset
        return pathlib.Path(self.dataset.removeprefix(FOLDER)).absolute().name

    @property
    def folder(self) -> pathlib.Path:
        """The run's folder."""
        return pathlib.Path(self.output_dir or f"runs/{self.dataset_name}/{self.name}")

    def fitted_to(self, number: int) -> RunConfig:
        """Returns this run for so many training images; warnings say what they change.

        Where they are fewer than the default batch, a step takes all of them. The steps are those
        of --epochs, and of a folder of images by default as many as suit it.
        """
        number -= self.validation_images or 0
        number = min(number, self.train_images or number)
        batch_size = self.batch_size
        if batch_size == _FIELDS["batch_size"].default and 0 < number < batch_size:
            warnings.warn(f"--batch_size is {number}, all training images there are.", stacklevel=2)
            batch_size = number
        steps = self.steps
        if self.epochs is not None:
            steps = max(1, round(self.epochs * number / batch_size))
        elif steps == STEPS and self.is_folder:
            steps = min(max(FOLDER_EPOCHS * number // batch_size, LEAST_STEPS), STEPS)
            warnings.warn(f"--steps is {steps:,}, as {number:,} images suggest.", stacklevel=2)
        return dataclasses.replace(self, batch_size=batch_size, steps=steps, epochs=None)

    def for_defense(self, defense: Defense, **changes: Any) -> RunConfig:
        """Returns this run with another defense, without the flags that have no effect on it."""
        other = dataclasses.replace(self, defense=defense.name)
        without = other.without_effect()
        fields = {flag.name: flag.field for flag in options.own_flags(RunConfig)}
        unset = {fields[name]: _FIELDS[fields[name]].default for name in without}
        kept = tuple(pair for pair in self.search_options if pair[0] not in without)
        return dataclasses.replace(other, **{**unset, "search_options": kept, **changes})


def find_defense(name: str) -> Defense:
    """Returns the defense of this name.

    Raises:
      ValueError: there is none.
    """
    from spatial_keras.training import defenses  # loads TensorFlow, which --help does without

    return defenses.get(name)


_FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}
