"""Whether an evaluation passes: its gates, its comparison, and the files that say so."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.evaluation import Report, gate, testing
from spatial_keras.results.paired import Difference
from spatial_keras.support import files, tables

# How many images the Markdown names.
_NAMED = 10


@dataclasses.dataclass(frozen=True)
class Passing:
    """An evaluation and what is asked of it.

    Attributes:
      config: says what is asked.
      title: of what is evaluated.
      report: what was found.
      differences: from the evaluation that it is compared with; empty without one.
    """

    config: EvaluateConfig
    title: str
    report: Report
    differences: Sequence[Difference] = ()

    @property
    def gates(self) -> list[gate.Gate]:
        """Of each measure what is asked of it."""
        config = self.config
        return gate.gates(self.report.measures(), config.least, config.fail_under_interval)

    @property
    def failures(self) -> dict[str, str]:
        """Of each measure that falls short, or is worse than it was, why in one line."""
        found = {one.measure: one.failure for one in self.gates if one.failure}
        for difference in self.differences:
            if difference.is_worse(self.config.tolerance):
                reasons = [found.get(difference.measure), f"worse: {difference.text}"]
                found[difference.measure] = "; ".join(filter(None, reasons))
        return found

    def write(self) -> None:
        """Writes the files that are asked for."""
        config = self.config
        if config.junit is not None:
            text = gate.junit(self.gates, self.title, self.failures, self.report.verdict)
            _write(config.junit, text)
        if config.markdown is not None:
            _write(config.markdown, self.markdown())

    def markdown(self) -> str:
        """Returns all in Markdown: verdict, measures, differences, classes, the worst images."""
        failures, report = self.failures, self.report
        rows = [
            [one.measure, one.found, _asked(one), "falls short" if one.measure in failures else ""]
            for one in self.gates
        ]
        measures = tables.markdown(["measure", "accuracy (95%)", "asked", ""], rows)
        parts = [f"### {_plain(self.title)}", _plain(report.verdict), measures]
        if self.differences:
            parts.append("\n".join(f"- {_plain(each.text)}" for each in self.differences))
        classes = [
            [
                _plain(name),
                str(row["images"]),
                *(tables.percent(row[key]) for key in report.outcomes),
            ]
            for name, row in report.per_class().items()
        ]
        parts.append(tables.markdown(["class", "images", *report.outcomes], classes))
        parts.append("\n".join(f"- {_plain(line)}" for line in testing.worst(report, _NAMED)))
        return "\n\n".join(filter(None, parts)) + "\n"


def _asked(one: gate.Gate) -> str:
    return "" if one.least is None else f"{tables.rounded(100 * one.least, 1)}%"


def _plain(text: str) -> str:
    """Returns a text that Markdown shows as it is."""
    shown = files.presentable(text)
    for mark in "\\`*_[]|#~":
        shown = shown.replace(mark, f"\\{mark}")
    return shown.replace("&", "&amp;").replace("<", "&lt;")


def _write(path: str, text: str) -> None:
    file = pathlib.Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(file, text)
