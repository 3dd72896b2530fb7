"""Evaluates, and shows the accuracies."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spatial_keras.commands import running
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.evaluation import Report, image_table
from spatial_keras.experiments import evaluate
from spatial_keras.support import files, tables

_MOST_ROWS = 10
_BAR = 40  # characters of a bar at 100%


def main(config: EvaluateConfig) -> None:
    """Evaluates and shows the accuracies."""
    with running.mistakes_refused():
        evaluation = evaluate.prepare(config)
        is_chief = evaluation.distribution.is_chief
        report = evaluation.run(running.say if is_chief else None)
        passing = evaluation.passing(report)
    if not is_chief:
        return
    output, subject = evaluation.output, evaluation.subject
    if config.part is not None:
        text = f"Written: {output}. When all {config.part.count} are there, --merge in the place"
        running.show(f"{text} of --shard puts them together.")
        return
    curves = report.profile.curves() if report.profile else {}
    running.show(
        report.verdict,
        measures(report, f"{subject['classifier']} on {subject['dataset']}"),
        classes(report),
        becomes(report),
        worst(report),
        *(along(report, *curve) for curve in curves.items()),
        *share(report),
        *(f"- {note}" for note in report.notes),
        *(difference.text for difference in passing.differences),
        f"Written: {output}, {output.with_suffix('.csv').name}",
    )
    passing.write()
    for failure in passing.failures.values():
        running.say(f"failed: {failure}")
    if passing.failures:
        sys.exit(1)


def measures(report: Report, title: str) -> Table:
    """Returns the table of accuracies."""
    columns = ("accuracy", "%", "95% interval", "passes", "seconds")
    table = Table(
        *columns, title=Text(f"{files.presentable(title)}: {report.sample.number} images")
    )
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
        table.add_row(escape(files.presentable(name)), str(row["images"]), *accuracies)
    return table


def share(report: Report) -> list[str]:
    """Returns a line about the share of S that breaks an image; none if it was not measured."""
    found = report.share()
    if found is None:
        return []
    return [
        f"{tables.percent(found['broken'])} of all transformations in S, drawn "
        f"{found['draws']:,} times, break an image; at most {tables.percent(found['at_most'])}, "
        f"with 95% confidence, on average over {found['images']} images."
    ]


def along(report: Report, name: str, curve: dict[str, Any]) -> Table:
    """Returns which share is right at each value of an axis, whatever the others."""
    axis = next(axis for axis in report.sample.transformations.axes if axis.name == name)
    table = Table(axis.label, "%", "", title=f"Right along {name}")
    for value, right in zip(curve["values"], curve["right"]):
        table.add_row(axis.write(value), f"{100 * right:.1f}", "█" * round(right * _BAR))
    return table


def becomes(report: Report) -> Table:
    """Returns what the images are taken for when transformed."""
    table = Table("class", "taken for", "images", title="What becomes what")
    for row in report.becomes()[:_MOST_ROWS]:
        names = (escape(files.presentable(row[name])) for name in ("label", "prediction"))
        table.add_row(*names, str(row["images"]))
    return table


def worst(report: Report) -> Table:
    """Returns the images that break most easily, of those right as they are."""
    found, box = report.table(), report.sample.transformations
    table = Table("image", "class", "taken for", "under", title="Broken by the smallest changes")
    rows = np.flatnonzero(found["size"] > 0)[:_MOST_ROWS]
    for row in rows:
        texts = (str(found[name][row]) for name in ("name", "label", "prediction_there"))
        under = image_table.under(found, row, box)
        table.add_row(*(escape(files.presentable(text)) for text in texts), under)
    return table
