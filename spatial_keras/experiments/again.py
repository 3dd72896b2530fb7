"""An evaluation once more: its classifier and images, as its files name them."""

from __future__ import annotations

from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.experiments import evaluate
from spatial_keras.results.evaluations import Evaluated
from spatial_keras.support import validation


def prepare(evaluated: Evaluated, data_dir: str | None = None) -> evaluate.Evaluation:
    """Loads the classifier and the images of an evaluation.

    Args:
      evaluated: what the evaluation wrote.
      data_dir: folder of the TensorFlow Datasets.

    Raises:
      ValueError, TypeError: they are not there any more, cannot be read, or are others now.
    """
    recorded = [flag.name for flag in options.all_flags(EvaluateConfig) if flag.option.recorded]
    found = evaluated.found
    for name in found["flags"]:
        validation.check_name("flag", name, recorded)
    flags = [f"--{name}={text}" for name, text in found["flags"].items()]
    # A run's folder may have been moved, with the evaluation in it.
    place = evaluated.run or found["classifier"]
    kind = "run" if evaluated.run or "steps" in found else "model"
    folder = [] if data_dir is None else [f"--data_dir={data_dir}"]
    config = command_line.parse(EvaluateConfig, [*flags, f"--{kind}={place}", *folder])
    evaluation = evaluate.prepare(config)
    for name, now in (
        ("fingerprint", evaluation.subject["fingerprint"]),
        ("pixels", evaluation.images),
    ):
        if found.get(name, now) != now:
            what = "classifier" if name == "fingerprint" else "images"
            raise ValueError(f"the {what} of '{evaluated.file}' changed since: evaluate again.")
    return evaluation
