"""Gates: the accuracies that a classifier has to reach, and JUnit's file of whether it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from spatial_keras.support import files, tables


@dataclasses.dataclass(frozen=True)
class Gate:
    """A measure and what is asked of it.

    Attributes:
      measure: its name.
      accuracy: in [0, 1].
      low: the lower end of its 95% interval.
      high: the upper end.
      least: what the accuracy must be at least; None if nothing is asked.
      by_interval: whether the lower end must be, too.
    """

    measure: str
    accuracy: float
    low: float
    high: float
    least: float | None = None
    by_interval: bool = False

    @property
    def found(self) -> str:
        """What was found, e.g. "92.0% (88.7 to 94.4)"."""
        ends = " to ".join(tables.rounded(100 * end, 1) for end in (self.low, self.high))
        return f"{tables.rounded(100 * self.accuracy, 1)}% ({ends})"

    @property
    def failure(self) -> str | None:
        """How it falls short, in one line; None if it does not."""
        if self.least is None or (self.low if self.by_interval else self.accuracy) >= self.least:
            return None
        what = "its interval reaches below" if self.accuracy >= self.least else "below"
        return f"{self.measure}: {self.found}, {what} {tables.rounded(100 * self.least, 1)}%"


def gates(
    measures: Mapping[str, Mapping[str, float]],
    least: Mapping[str, float],
    by_interval: bool = False,
) -> list[Gate]:
    """Returns a gate for each measure.

    Args:
      measures: what `Report.measures` gives.
      least: what is asked of them, by name.
      by_interval: judge by the lower ends of the 95% intervals.
    """
    return [
        Gate(name, row["accuracy"], row["low"], row["high"], least.get(name), by_interval)
        for name, row in measures.items()
    ]


def junit(found: Sequence[Gate], suite: str, failures: Mapping[str, str], verdict: str) -> str:
    """Returns JUnit's XML: a test case for each measure.

    Args:
      found: the measures.
      suite: what is evaluated.
      failures: of measures that fail, by name, why.
      verdict: what was found, in one sentence.
    """
    counts = {"tests": str(len(found)), "failures": str(len(failures))}
    name = files.presentable(suite)
    root = ElementTree.Element("testsuite", {"name": name, **counts, "errors": "0"})
    for gate in found:
        case = ElementTree.SubElement(root, "testcase", classname=name, name=gate.measure)
        if gate.measure in failures:
            ElementTree.SubElement(case, "failure", message=failures[gate.measure])
        ElementTree.SubElement(case, "system-out").text = gate.found
    ElementTree.SubElement(root, "system-out").text = files.presentable(verdict)
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"
