"""Trains a classifier that withstands rotations and translations, and says how well it does.

Example: python scripts/train.py --dataset=cifar10 --defense=wo10_kl
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; gradients were 1.7 times faster with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app  # noqa: E402 - TensorFlow reads these when it is imported
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from spatial_keras import checkpoints, command_line, experiment  # noqa: E402

_FLAGFILE = "\n  --flagfile=FILE: read flags from a file, e.g. flags/digits/wo10_kl.flags\n"


def main(argv: list[str]) -> None:
    """Runs the experiment that the flags describe."""
    try:
        run = experiment.prepare()
    except (ValueError, TypeError) as error:
        command_line.refuse(error)
    if run.checkpoints.step:
        sys.stderr.write(f"Going on from step {run.checkpoints.step} of {run.steps}.\n")
    try:
        results = run.run()
    except checkpoints.DivergedError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    table = Table("accuracy", "%", title=experiment.evaluated_on(results))
    for name, value in results["accuracies"].items():
        table.add_row(name, f"{100 * value:.1f}")
    console = Console()
    console.print(table)
    console.print(f"Run folder: {run.folder.path}", soft_wrap=True)


if __name__ == "__main__":
    command_line.define(experiment.FLAGS)
    app.run(main, flags_parser=command_line.parser(experiment.FLAGS, _FLAGFILE))
