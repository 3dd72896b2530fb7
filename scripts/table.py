"""Trains defenses side by side, with several seeds each, and writes the paper's table of them.

Example: python scripts/table.py --dataset=digits --defenses=std,std_star,wo10_kl --seeds=3
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

from spatial_keras import command_line, comparison  # noqa: E402

_FLAGFILE = "\n  --flagfile=FILE: read flags from a file, e.g. flags/digits/base.flags\n"
_COMMAND = shlex.join(["python", *sys.argv])


def main(argv: list[str]) -> None:
    """Makes the table that the flags describe."""
    try:
        runs = comparison.prepare()
        found = runs.run(_COMMAND, lambda line: sys.stderr.write(f"{line}\n"))
    except (ValueError, TypeError) as error:
        command_line.refuse(error)
    table = Table(*found.header, title=found.title)
    for row in found.rows:
        table.add_row(*row.cells())
    console = Console()
    console.print(table)
    console.print(f"Written: {runs.folder / 'table.md'}, table.csv", soft_wrap=True)


if __name__ == "__main__":
    command_line.define(comparison.FLAGS)
    app.run(main, flags_parser=command_line.parser(comparison.FLAGS, _FLAGFILE))
