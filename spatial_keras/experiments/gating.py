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
            files.write_text(pathlib.Path(config.junit), text)
        if config.markdown is not None:
            files.write_text(pathlib.Path(config.markdown), self.markdown())

    def markdown(self) -> str:
        """Returns all in Markdown: verdict, measures, differences, classes, the worst images."""
        failures, report = self.failures, self.report
        rows = [
            [one.measure, one.found, _asked(one), "falls short" if one.measure in failures else ""]
            for one in self.gates
        ]
        measures = tables.markdown(["measure", "accuracy (95%)", "asked", ""], rows)
        parts = [f"### {tables.escaped(self.title)}", tables.escaped(report.verdict), measures]
        if self.differences:
            parts.append("\n".join(f"- {tables.escaped(each.text)}" for each in self.differences))
        classes = [
            [
                tables.escaped(name),
                str(row["images"]),
                *(tables.percent(row[key]) for key in report.outcomes),
            ]
            for name, row in report.per_class().items()
        ]
        parts.append(tables.markdown(["class", "images", *report.outcomes], classes))
        parts.append(
            "\n".join(f"- {tables.escaped(line)}" for line in testing.worst(report, _NAMED))
        )
        return "\n\n".join(filter(None, parts)) + "\n"


def _asked(one: gate.Gate) -> str:
    return "" if one.least is None else f"{tables.rounded(100 * one.least, 1)}%"
