"""Says how robust a classifier is to rotations and translations.

Examples: python scripts/evaluate.py --run=runs/digits/resnet8_wo10_kl_seed0
          python scripts/evaluate.py --model=some.keras --dataset=digits --limit=100
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on for some processors only; it is the faster one.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app  # noqa: E402 - TensorFlow reads these when it is imported
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from spatial_keras import audit, command_line  # noqa: E402
from spatial_keras.evaluation import Report  # noqa: E402

_BAR = 30


def main(argv: list[str]) -> None:
    """Runs the evaluation that the flags describe."""
    try:
        evaluation = audit.prepare()
        report = evaluation.run(lambda outcome: sys.stderr.write(f"{outcome}\n"))
    except (ValueError, TypeError) as error:
        command_line.refuse(error)
    console = Console()
    subject = evaluation.subject
    console.print(measures(report, f"{subject['classifier']} on {subject['dataset']}"))
    console.print(classes(report))
    if report.worst_angles() is not None:
        console.print(angles(report))
    for note in report.notes:
        console.print(f"- {note}", soft_wrap=True)
    output = evaluation.output
    console.print(f"Written: {output}, {output.with_suffix('.csv').name}", soft_wrap=True)


def measures(report: Report, title: str) -> Table:
    """Returns the table of accuracies."""
    columns = ("accuracy", "%", "95% interval", "passes", "seconds")
    table = Table(*columns, title=f"{title}: {len(report.labels)} images")
    for name, row in report.measures().items():
        interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
        accuracy = f"{100 * row['accuracy']:.1f}"
        table.add_row(name, accuracy, interval, f"{row['passes']:,}", f"{row['seconds']:.1f}")
    return table


def classes(report: Report) -> Table:
    """Returns the table of accuracies by class."""
    table = Table("class", "images", *report.outcomes, title="Accuracy by class, %")
    for name, row in report.per_class().items():
        accuracies = [f"{100 * row[outcome]:.1f}" for outcome in report.outcomes]
        table.add_row(name, str(row["images"]), *accuracies)
    return table


def angles(report: Report) -> Table:
    """Returns the histogram of the worst rotations found."""
    found = report.worst_angles()
    table = Table("degrees", "broken", "", "standing", "", title="Worst rotations found")
    most = max(*found["broken"], *found["standing"], 1)
    for i, (broken, standing) in enumerate(zip(found["broken"], found["standing"])):
        edges = f"{found['edges'][i]:.0f} to {found['edges'][i + 1]:.0f}"
        bars = ["#" * round(_BAR * count / most) for count in (broken, standing)]
        table.add_row(edges, str(broken), bars[0], str(standing), bars[1])
    return table


if __name__ == "__main__":
    command_line.define(audit.FLAGS)
    app.run(main, flags_parser=command_line.parser(audit.FLAGS))
