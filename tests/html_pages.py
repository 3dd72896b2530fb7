"""Reads HTML pages with the standard library's parser: what a browser would see."""

import base64
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder

VOID = {"br", "hr", "img", "input", "link", "meta"}


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.builder, self.open = TreeBuilder(), []

    def handle_starttag(self, tag, attrs):
        self.builder.start(tag, dict(attrs))
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()
        self.builder.end(tag)

    def handle_data(self, data):
        if self.open:
            self.builder.data(data)


def read(text: str) -> Element:
    """Returns the tree of an HTML document, each of whose elements must be closed."""
    assert text.startswith("<!DOCTYPE html>\n<html")
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return parser.builder.close()


def words(node: Element) -> str:
    """Returns the text of an element, all blanks alike."""
    return " ".join("".join(node.itertext()).split())


def cells(table: Element) -> list[list[str]]:
    """Returns the texts of a table, row by row."""
    return [[words(cell) for cell in row] for row in table.iter("tr")]


def content(image: Element, kind: str) -> bytes:
    """Returns what is in the data URI of a picture of this kind."""
    start, data = image.get("src").split(",")
    assert start == f"data:image/{kind};base64"
    return base64.b64decode(data, validate=True)
