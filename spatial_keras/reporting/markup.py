"""The page as HTML: what it is made of, and the template that puts it together.

Texts are escaped by the template; a page loads nothing from elsewhere.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import importlib.resources
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jinja2

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("spatial_keras.reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_SCRIPT = (
    importlib.resources.files("spatial_keras.reporting")
    .joinpath("templates", "explorer.js")
    .read_text(encoding="utf-8")
)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture that is within the page.

    Attributes:
      kind: "png" or "svg+xml". Of several SVG pictures in one page the names do not clash, because
        each is a document of its own.
      content: of its file.
      alt: for readers who do not see it.
      caption: says what it is.
      wide: whether it needs the page's full width.
    """

    kind: str
    content: bytes
    alt: str
    caption: str
    wide: bool

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.content).decode()}"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      title: what it is of.
      header: the names of the columns.
      rows: the cells of each row, its name first.
      note: what the numbers are; may be empty.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Explorer:
    """Images to turn and shift, with what classifiers say of them.

    Attributes:
      data: what the page's script needs, for JSON.
      pictures: of each image a data URI.
    """

    data: Mapping[str, Any]
    pictures: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, or two of the same images.

    Attributes:
      title: which classifiers, on what.
      verdicts: the result in a sentence, of each.
      tables: the accuracies.
      notes: what a reader should know.
      pictures: of images that break, ...
      explorer: images to turn; None if there is none.
    """

    title: str
    verdicts: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]
    pictures: Sequence[Picture] = ()
    explorer: Explorer | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, folded up.

    Attributes:
      name: its folder.
      summary: its accuracies.
      facts: (name, text) of each number.
      command: the words of the command that repeats it.
      examples: images and their worst transformations; None if there are none.
      evaluation: what evaluate found; None if nothing.
    """

    name: str
    summary: str
    facts: Sequence[tuple[str, str]]
    command: Sequence[str]
    examples: Picture | None
    evaluation: Evaluation | None = None


@dataclasses.dataclass(frozen=True)
class Section:
    """Runs that can be compared.

    Attributes:
      title: what tells them from those of other sections.
      header: the names of the table's columns.
      rows: the cells of each row, its name first.
      best: (row, column) of the cells to stress.
      common: what all runs have in common.
      pictures: the figures.
      left_out: the figures that cannot be drawn, and why.
      runs: each of them.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: Collection[tuple[int, int]]
    common: Sequence[str]
    pictures: Sequence[Picture]
    left_out: Sequence[str]
    runs: Sequence[Run]


def page(
    title: str,
    made: datetime.datetime,
    sections: Sequence[Section] = (),
    unfinished: Sequence[str] = (),
    damaged: Sequence[str] = (),
    compared: Table | None = None,
    evaluation: Evaluation | None = None,
) -> str:
    """Returns the whole HTML document.

    Args:
      title: its heading.
      made: when the page is made.
      sections: what there is to say of the finished runs.
      unfinished: the names of those that are not finished.
      damaged: of each run that cannot be read, a line that says why.
      compared: two defenses; None if there are none to compare.
      evaluation: what there is to say of an evaluation.
    """
    runs = [run for section in sections for run in section.runs]
    shown = [evaluation, *(run.evaluation for run in runs)]
    # No other script runs, whatever a name may hold.
    script = _SCRIPT if any(one and one.explorer for one in shown) else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _TEMPLATES.get_template("page.html").render(
        title=title,
        sections=sections,
        finished=len(runs),
        unfinished=unfinished,
        damaged=damaged,
        evaluation=evaluation,
        made=made,
        compared=compared,
        script=script,
        allowed=f"'sha256-{digest}'" if script else "'none'",
    )
