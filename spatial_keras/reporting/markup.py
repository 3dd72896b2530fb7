"""The page as HTML: what it is made of, and the template that puts it together.

Texts are escaped by the template; a page loads nothing from elsewhere.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
from collections.abc import Collection, Sequence

import jinja2

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("spatial_keras.reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
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
class Run:
    """A run, folded up.

    Attributes:
      name: its folder.
      summary: its accuracies.
      facts: (name, text) of each number.
      command: the words of the command that repeats it.
      examples: images and their worst transformations; None if there are none.
    """

    name: str
    summary: str
    facts: Sequence[tuple[str, str]]
    command: Sequence[str]
    examples: Picture | None


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


@dataclasses.dataclass(frozen=True)
class Compared:
    """Two defenses compared.

    Attributes:
      title: which.
      header: the names of the table's columns.
      rows: the cells of each row.
      note: what the numbers are.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str


def page(
    title: str,
    sections: Sequence[Section],
    finished: int,
    unfinished: Sequence[str],
    damaged: Sequence[str],
    made: datetime.datetime,
    compared: Compared | None = None,
) -> str:
    """Returns the whole HTML document.

    Args:
      title: its heading.
      sections: what there is to say of the runs.
      finished: the number of them that are finished.
      unfinished: the names of those that are not.
      damaged: of each run that cannot be read, a line that says why.
      made: when the page is made.
      compared: two defenses; None if there are none to compare.
    """
    return _TEMPLATES.get_template("page.html").render(
        title=title,
        sections=sections,
        finished=finished,
        unfinished=unfinished,
        damaged=damaged,
        made=made,
        compared=compared,
    )
