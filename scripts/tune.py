"""Searches for the regularizer's weight, the learning rate and k with KerasTuner.

Example: python scripts/tune.py --dataset=digits --max_trials=4
"""

import os
import shlex
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; gradients were 1.7 times faster with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app  # noqa: E402 - TensorFlow reads these when it is imported
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from spatial_keras import command_line, tuning  # noqa: E402

_FLAGFILE = "\n  --flagfile=FILE: read flags from a file, e.g. flags/digits/base.flags\n"


def main(argv: list[str]) -> None:
    """Runs the search that the flags describe."""
    try:
        study = tuning.prepare()
    except (ValueError, TypeError) as error:
        command_line.refuse(error)
    trials = study.run(lambda line: sys.stderr.write(f"{line}\n"))
    if trials is None:
        print("This worker has no more trials to run; the chief writes the table.")
        return
    images = f"{study.value['validation_images']} held-out training images"
    table = Table(*trials.header, title=f"Trials on {images}, the best first")
    for row in trials.rows():
        table.add_row(*row)
    console = Console()
    console.print(table)
    figure = ", lambda.png" if trials.curves() else ""
    console.print(f"Written: {study.folder / 'table.md'}, table.csv{figure}", soft_wrap=True)
    train = ["python", "scripts/train.py", f"--flagfile={study.folder / tuning.BEST_FILE}"]
    console.print(f"The best with all training images: {shlex.join(train)}", soft_wrap=True)


if __name__ == "__main__":
    command_line.define(tuning.FLAGS)
    app.run(main, flags_parser=command_line.parser(tuning.FLAGS, _FLAGFILE))
