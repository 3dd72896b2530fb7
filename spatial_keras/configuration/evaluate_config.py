"""The configuration of an evaluation: what evaluate.py's flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.configuration import choices, shared_options, thresholds
from spatial_keras.configuration.evaluate_options import MEASURES, EvaluateOptions
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.shard import Shard
from spatial_keras.support import files


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(EvaluateOptions):
    """An evaluation: its flags, checked, and what follows from them."""

    def check(self) -> None:
        """Raises ValueError if flags do not go together."""
        shared_options.check_data_dir(self.data_dir)
        if (self.run is None) == (self.model is None):
            raise ValueError("give either --run=FOLDER or --model=FILE.")
        if self.model is not None and self.dataset is None and not self.is_of_zoo:
            raise ValueError("--model needs --dataset.")
        if "attack" in self.measures and "grid" not in self.measures:
            raise ValueError("measure 'attack' starts from 'grid': measure that too.")
        if "profile" in self.measures and not {"natural", "grid"} <= {*self.measures}:
            raise ValueError("measure 'profile' goes by 'natural' and 'grid': measure them too.")
        self.check_effects()
        if self.input_range[0] == self.input_range[1]:
            raise ValueError("--input_range must be two different numbers.")
        self._check_gates()
        self._check_parts()
        if self.card is not None:
            files.check_suffix("--card", self.card, ".json")
            files.check_folder("--card", pathlib.Path(self.card).parent)
        if self.output is not None:
            self._check_output(self.output)

    def to_continue(self, typed: str) -> str:
        """Returns the command line that continues this evaluation."""
        return typed if self.resume or self.merge else f"{typed} --resume"

    def without_effect(self) -> dict[str, str]:
        """Returns the fields that have no effect on the measures."""
        found = {
            name: f"without --measures={' or '.join(measures)}"
            for name, measures in _OF_MEASURES.items()
            if not {*measures} & {*self.measures}
        }
        if self.fail_under is None:
            found["fail_under_interval"] = "without --fail_under"
        if self.compare is None:
            found["tolerance"] = "without --compare"
        if self.shard is not None:
            found.update(dict.fromkeys(_GATES, "with --shard: give it with --merge"))
        return found

    @property
    def least(self) -> dict[str, float]:
        """What accuracies must be at least, by the name of the measure."""
        measures = [name for name in MEASURES[:-1] if name in self.measures]
        return thresholds.parse(self.fail_under or (), measures)

    def _check_gates(self) -> None:
        try:
            self.least  # noqa: B018 - which raises
        except ValueError as error:
            raise ValueError(f"--fail_under: {error}") from None
        for name, suffix in (("junit", ".xml"), ("markdown", ".md"), ("compare", ".json")):
            path = getattr(self, name)
            if path is not None:
                files.check_suffix(f"--{name}", path, suffix)
                files.check_folder(f"--{name}", pathlib.Path(path).parent)

    def _check_parts(self) -> None:
        if self.shard is not None and self.merge:
            raise ValueError("give --shard or --merge, not both.")
        if self.merge and self.resume:
            raise ValueError("--resume has no effect with --merge, which evaluates nothing.")
        if self.shard is not None:
            Shard.parse(self.shard)

    @property
    def is_of_zoo(self) -> bool:
        """Whether the classifier is one of the zoo."""
        return self.run is None and self.classifier.startswith(choices.ZOO)

    @property
    def classifier(self) -> str:
        """The run's folder, the model's file, or the model's name in the zoo."""
        return self.run or self.model or ""

    def _check_output(self, output: str) -> None:
        file = pathlib.Path(output)
        files.check_suffix("--output", output, ".json")
        if file.name == "results.json":
            raise ValueError("--output must not be results.json, where train keeps its results.")
        if file.is_dir():
            raise ValueError(f"--output: '{output}' is a folder.")
        files.check_folder("--output", file.parent)

    def filled_from(self, run: RunConfig) -> EvaluateConfig:
        """Returns this evaluation with what is not set taken from the run."""
        names = ["dataset", "image_size", "crop", "max_rotation", "max_translation", "fill"]
        names += shared_options.FURTHER
        if self.dataset in (None, run.dataset):
            names += ["test_fraction", "skip_damaged"]
        missing = {name: getattr(run, name) for name in names if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)

    @property
    def ordered_measures(self) -> list[str]:
        """What to measure, each after what it builds on."""
        return sorted(set(self.measures), key=MEASURES.index)

    @property
    def part(self) -> Shard | None:
        """The part of the images to evaluate; None for all."""
        return None if self.shard is None else Shard.parse(self.shard)

    @property
    def file(self) -> pathlib.Path:
        """The JSON file to write."""
        if self.output is not None:
            return pathlib.Path(self.output)
        if self.run is not None:
            return pathlib.Path(self.run) / "evaluation.json"
        model = pathlib.Path(self.classifier.removeprefix(choices.ZOO))
        return model.with_name(f"{model.stem}_evaluation.json")


_GATES = ("fail_under", "fail_under_interval", "compare", "tolerance", "junit", "markdown")
# Flag -> the measures that it has an effect on, where those are not all.
_OF_MEASURES = {
    "draws": ("random",),
    "k": ("worst_of_k",),
    "gradient_steps": ("gradient",),
    "gradient_restarts": ("gradient",),
    "grid_counts": ("grid",),
    "map": ("grid",),
    "profile_images": ("profile",),
    "attack_steps": ("attack",),
    "attack_refinements": ("attack",),
    "seed": ("random", "worst_of_k", "gradient", "attack"),
    "composition": MEASURES[1:],
}
