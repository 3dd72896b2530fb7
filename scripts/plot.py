"""Draws the paper's figures from runs of train.py and table.py.

Examples: python scripts/plot.py --all --runs=runs/tables/digits --run=runs/digits/resnet8_std_seed0
          python scripts/plot.py --figures=cost,lambda --runs=runs/tables/cifar10
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; it is the faster one.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app  # noqa: E402 - TensorFlow reads these when it is imported

from spatial_keras import command_line, gallery  # noqa: E402


def main(argv: list[str]) -> None:
    """Draws the figures that the flags describe."""
    try:
        written = gallery.prepare().draw(lambda line: sys.stderr.write(f"{line}\n"))
    except (ValueError, TypeError, OSError) as error:
        command_line.refuse(error)
    for file in written:
        print(f"Written: {file}")


if __name__ == "__main__":
    command_line.define(gallery.FLAGS)
    app.run(main, flags_parser=command_line.parser(gallery.FLAGS))
