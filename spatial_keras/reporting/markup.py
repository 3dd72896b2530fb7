"""HTML as a tree, which escapes every text, and the look of the page; nothing is loaded for it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

_STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --page: #fff; --card: #f4f5f7;
  --line: #d5d8dd; --soft: #5b6168; }
@media screen and (prefers-color-scheme: dark) {
  :root { --text: #e4e6ea; --page: #16181c; --card: #22252b; --line: #3d424b; --soft: #a4abb5; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--text); background: var(--page);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: auto; padding: 1rem; }
h1, h2, h3, summary { overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 2.5rem; }
code { display: inline-block; font: .85em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; }
.note, figcaption { color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child { padding-left: 0; text-align: left; }
thead th { vertical-align: bottom; border-bottom: 2px solid var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr));
  gap: 1rem; align-items: start; }
figure { margin: 0; padding: .75rem; background: var(--card); border-radius: .5rem; }
figure img { display: block; width: 100%; background: #fff; border-radius: .3rem; }
figcaption { margin-top: .5rem; }
.wide { grid-column: 1 / -1; }
.wide img { min-width: 40rem; }
details { margin: .5rem 0; padding: .6rem .75rem; background: var(--card); border-radius: .5rem; }
details > :not(summary) { margin-top: .75rem; }
details figure { padding: 0; }
summary { cursor: pointer; }
time { white-space: nowrap; }
@media (min-width: 40rem) { tbody th, td { white-space: nowrap; } }
@media (max-width: 40rem) {
  thead th, thead ~ tbody :is(th, td) { padding: .35rem .2rem; font-size: .75rem; }
  thead ~ tbody th { min-width: 4.2rem; } }
@media print {
  html { font-size: 75%; }
  h2, h3 { break-after: avoid; }
  figure, details, tr { break-inside: avoid; }
  .wide img { min-width: 0; } }
"""


def element(tag: str, *children: str | Element, **attributes: str) -> Element:
    """Returns an HTML element.

    Args:
      tag: its name.
      children: texts and elements, in their order.
      attributes: by name; `class_` is class.
    """
    made = Element(tag, {name.rstrip("_"): text for name, text in attributes.items()})
    for child in children:
        if not isinstance(child, str):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def codes(texts: Iterable[str]) -> list[str | Element]:
    """Returns texts as code with blanks between them, where lines may break."""
    return [part for text in texts for part in (element("code", text), " ")]


def table(header: Sequence[str], rows: Iterable[Sequence[str | Element]]) -> Element:
    """Returns a table, the first cell of each row its header.

    Args:
      header: the columns' names; none for a table without.
      rows: the cells of each.
    """
    body = element("tbody")
    for name, *cells in rows:
        texts = (element("td", cell) for cell in cells)
        body.append(element("tr", element("th", name, scope="row"), *texts))
    names = (element("th", name, scope="col") for name in header)
    head = [element("thead", element("tr", *names))] if header else []
    return element("div", element("table", *head, body), class_="scroll")


def picture(kind: str, content: bytes, alt: str, caption: str, wide: bool) -> Element:
    """Returns a picture with its caption; the picture is within the page.

    Args:
      kind: of the picture, "png" or "svg+xml". Of several SVG pictures in one page the names do
        not clash, because each is a document of its own.
      content: of its file.
      alt: for readers who do not see it.
      caption: says what it is.
      wide: whether it needs the page's full width.
    """
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    shown = element("div", element("img", src=source, alt=alt), class_="scroll")
    look = {"class_": "wide"} if wide else {}
    return element("figure", shown, element("figcaption", caption), **look)


def document(title: str, *children: str | Element) -> str:
    """Returns a whole HTML document: the title as its heading, then the children."""
    viewport = "width=device-width, initial-scale=1"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content=viewport),
        element("title", title),
        element("style", _STYLE),
    )
    body = element("body", element("main", element("h1", title), *children))
    page = element("html", head, body, lang="en")
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"
