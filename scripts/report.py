"""Writes one HTML page about finished runs: the table, the figures, and how each run was made.

Examples: python scripts/report.py --runs=runs/tables/digits
          python scripts/report.py --runs=runs/tables/cifar10 --nobest_run --output=cifar10.html
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; it is the faster one.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app  # noqa: E402 - TensorFlow reads these when it is imported

from spatial_keras import command_line, html_report  # noqa: E402


def main(argv: list[str]) -> None:
    """Writes the page that the flags describe."""
    try:
        written = html_report.prepare().write(lambda line: sys.stderr.write(f"{line}\n"))
    except (ValueError, TypeError, OSError) as error:
        command_line.refuse(error)
    print(f"Written: {written}")


if __name__ == "__main__":
    command_line.define(html_report.FLAGS)
    app.run(main, flags_parser=command_line.parser(html_report.FLAGS))
