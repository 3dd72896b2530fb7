"""Tables as text: rounded numbers, listed words, Markdown, CSV."""

from __future__ import annotations

import csv
import decimal
import io
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

from spatial_keras.support import files

# What spreadsheets take for the beginning of a formula.
_FORMULA = tuple("=+-@\t\r")
# Binary fractions have noise from about the 16th digit on; what people mean has none.
_DIGITS = 12


def rounded(number: float, decimals: int, sign: str = "") -> str:
    """Returns a number with so many decimals; halves are rounded away from zero.

    So 49.35 has 49.4, also where it is the mean of numbers, and a bit below.

    Args:
      number: finite.
      decimals: how many.
      sign: "+" for a sign before positive numbers too.
    """
    exact = decimal.Decimal(f"{number:.{_DIGITS}g}")
    step = decimal.Decimal(1).scaleb(-decimals)
    return f"{exact.quantize(step, decimal.ROUND_HALF_UP) + 0:{sign}.{decimals}f}"


def percent(share: float) -> str:
    """Returns a share in [0, 1] as whole percents; with a decimal where they would say 0 or 100."""
    text = rounded(100 * share, 0)
    return f"{rounded(100 * share, 1) if text in ('0', '100') and 0 < share < 1 else text}%"


def listed(words: Iterable[str]) -> str:
    """Returns words as one says them: "a", "a and b", "a, b and c"."""
    *first, last = [*words] or [""]
    return " and ".join([", ".join(first), last] if first else [last])


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table in Markdown, without a last line break."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def escaped(text: str) -> str:
    """Returns a text as one line that Markdown shows as it is, in a table too."""
    shown = files.presentable(" ".join(text.split()))
    for mark in "\\`*_[]|#":
        shown = shown.replace(mark, f"\\{mark}")
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), ("~", "&#126;")):
        shown = shown.replace(mark, entity)
    return shown


def to_csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Returns a table as CSV in which no cell is a formula.

    Args:
      header: the columns' names.
      rows: of each the cells; None is an empty one, numbers have six digits, and a text that a
        spreadsheet would compute begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def from_csv(text: str) -> list[dict[str, str]]:
    """Returns the rows of a table that `to_csv` made, column -> text.

    Raises:
      ValueError: it is no CSV, or its rows are not of one length.
    """
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if len({len(row) for row in rows}) != 1:
        raise ValueError("its rows are not of one length")
    header, *rows = [[_text(cell) for cell in row] for row in rows]
    return [dict(zip(header, row)) for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return f"{value:.6g}"
    text = str(value)
    is_formula = text.startswith(_FORMULA) and not _is_number(text)
    # The csv module would end a row at a carriage return.
    return ("'" if is_formula else "") + text.replace("\r", " ")


def _text(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
