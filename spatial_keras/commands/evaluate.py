"""Evaluates, and shows the accuracies."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spatial_keras.commands import running
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.evaluation import Report
from spatial_keras.experiments import evaluate
from spatial_keras.support import files


def main(config: EvaluateConfig) -> None:
    """Evaluates and shows the accuracies."""
    with running.mistakes_refused():
        evaluation = evaluate.prepare(config)
        is_chief = evaluation.distribution.is_chief
        report = evaluation.run(running.say if is_chief else None)
    if not is_chief:
        return
    output, subject = evaluation.output, evaluation.subject
    if config.part is not None:
        text = f"Written: {output}. When all {config.part.count} are there, --merge in the place"
        running.show(f"{text} of --shard puts them together.")
        return
    running.show(
        report.verdict,
        measures(report, f"{subject['classifier']} on {subject['dataset']}"),
        classes(report),
        *(worst_values(report, name) for name in report.worst_values() or ()),
        *(f"- {note}" for note in report.notes),
        f"Written: {output}, {output.with_suffix('.csv').name}",
    )


def measures(report: Report, title: str) -> Table:
    """Returns the table of accuracies."""
    columns = ("accuracy", "%", "95% interval", "passes", "seconds")
    table = Table(*columns, title=Text(f"{files.presentable(title)}: {len(report.labels)} images"))
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


def worst_values(report: Report, name: str) -> Table:
    """Returns how many images broke and how many survived, by the worst values found of an axis."""
    found = report.worst_values()[name]
    table = Table(name, "broken", "survived", title=f"Worst {name} found")
    for i, (broken, standing) in enumerate(zip(found["broken"], found["standing"])):
        edges = f"{found['edges'][i]:.3g} to {found['edges'][i + 1]:.3g}"
        table.add_row(edges, str(broken), str(standing))
    return table
