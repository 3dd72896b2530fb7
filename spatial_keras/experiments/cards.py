"""Cards of classifiers: what a run and an evaluation say of them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
from typing import TYPE_CHECKING, Any

from spatial_keras import evaluation, zoo
from spatial_keras.configuration import options
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.evaluation import Report
from spatial_keras.experiments import versions
from spatial_keras.results import folders
from spatial_keras.zoo.cards import Card, data_of

if TYPE_CHECKING:
    from spatial_keras.experiments.evaluate import Evaluation


def of_run(folder: str | os.PathLike) -> Card:
    """Returns what a finished run says of its classifier: how it was made, nothing measured.

    Raises:
      ValueError: there is no finished run, or its network has not a name.
    """
    results = folders.read(pathlib.Path(folder))
    if results is None:
        raise ValueError(f"'{folder}' is not the folder of a finished run.")
    config = results.config
    network = _network(config)
    name = f"{config.dataset_name}_{network['name']}_{config.defense}"
    if config.is_of_zoo and config.model.endswith(f":{name}"):
        raise ValueError(f"the run went on from '{name}' of the zoo, whose place it would take.")
    return Card(
        name,
        network=network,
        data=data_of(config.dataset_name),
        training={
            "command": _command("train", RunConfig(), config),
            "defense": config.defense,
            "steps": config.steps,
            "seed": config.seed,
            "images": results.train_images,
            "versions": results.versions,
        },
    )


def of_evaluation(measured: Evaluation, report: Report) -> Card:
    """Returns the card of the classifier that was evaluated, with what was measured."""
    config, subject, evaluator = measured.config, measured.subject, measured.evaluator
    if config.is_of_zoo:
        known = zoo.card(config.classifier)
        subject_flag = f"--model={config.model}"
    elif config.run is not None and (pathlib.Path(config.run) / folders.RESULTS_FILE).exists():
        known, subject_flag = of_run(config.run), f"--run={config.run}"
    else:
        known = Card(pathlib.Path(subject["classifier"]).stem, data=data_of(subject["dataset"]))
        subject_flag = f"--model={config.model}"
    images = report.sample.number
    return dataclasses.replace(
        known,
        known_failures=_failures(report),
        weights=known.weights or subject["fingerprint"],
        evaluation={
            "command": _command("evaluate", EvaluateConfig(run="."), config, subject_flag),
            "transformations": evaluator.transformations.words(*evaluator.sample.size),
            "versions": versions.found(),
        },
        measures={
            name: {"images": images, **{key: row[key] for key in ("accuracy", "low", "high")}}
            for name, row in report.measures().items()
        },
    )


def pack(folder: str | os.PathLike, purpose: str = "") -> Card:
    """Adds the classifier of a finished run to the zoo; returns its card, without measures.

    Raises:
      ValueError: there is no finished run, or its classifier cannot be packed.
    """
    known = of_run(folder)
    # A run keeps a Keras model.
    classifier: Any = evaluation.load(pathlib.Path(folder) / "classifier.keras")
    network = {
        **known.network,
        "num_classes": classifier.output_shape[-1],
        "input_shape": classifier.input_shape[1:],
    }
    return zoo.pack(classifier, dataclasses.replace(known, purpose=purpose, network=network))


def _network(config: RunConfig) -> dict[str, Any]:
    """Returns the arguments of `models.get`; those of a classifier of the zoo are in its card."""
    if config.is_of_zoo:
        return zoo.card(config.model).network
    if config.made_elsewhere:
        raise ValueError(f"the zoo takes networks of its own by name, not '{config.model}'.")
    return {"name": config.model, "width": config.width}


def _command(name: str, default: options.Config, config: options.Config, *subject: str) -> str:
    """Returns the command line that says what differs from the default."""
    flags = options.differences(default, config).items()
    return shlex.join(
        ["spatial-keras", name, *subject, *(f"--{flag}={here}" for flag, (_, here) in flags)]
    )


def _failures(report: Report) -> tuple[str, ...]:
    """Returns what the report found that its accuracies do not say, a sentence each."""
    found = []
    if "grid" in report.outcomes:
        by_class = report.per_class()
        name = min(by_class, key=lambda name: by_class[name]["grid"])
        worst = by_class[name]
        found.append(
            f"Class {name} is the weakest: of its {worst['images']} images {worst['grid']:.0%} are "
            "right under all transformations of the grid."
        )
    return (*found, *(note for note in report.notes if note.startswith("The attack broke")))
