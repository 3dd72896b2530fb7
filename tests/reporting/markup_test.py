"""Texts stay texts, and a page needs nothing but itself."""

import re

import pytest

from spatial_keras.reporting import markup
from tests import html_pages

TEXTS = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b &lt; c", "' \" λ ±")


@pytest.mark.parametrize("text", TEXTS)
def test_texts_stay_texts(text):
    picture = markup.picture("png", b"\x00\xff", text, text, wide=False)
    made = markup.table([text, text], [[text, markup.element("strong", text)]])
    page = html_pages.read(markup.document(text, text, made, text, picture, text))
    assert [node.tag for node in page.iter()] == [
        "html", "head", "meta", "meta", "title", "style", "body", "main", "h1",
        "div", "table", "thead", "tr", "th", "th", "tbody", "tr", "th", "td", "strong",
        "figure", "div", "img", "figcaption",
    ]  # fmt: skip
    main = page.find("body/main")
    assert page.findtext("head/title") == main.findtext("h1") == text
    assert [node.tail for node in main] == [text] * 3
    assert html_pages.cells(main) == [[" ".join(text.split())] * 2] * 2
    image = main.find(".//img")
    assert image.get("alt") == main.findtext("figure/figcaption") == text
    assert html_pages.content(image, "png") == b"\x00\xff"


def test_children_stand_in_their_order():
    made = markup.element("p", "a", "b", markup.element("b", "c"), "d", "e", markup.element("i"))
    assert (made.text, made[0].tail, made[1].tail) == ("ab", "de", None)
    assert markup.element("p", class_="x").attrib == {"class": "x"}


def test_tables_name_their_rows_and_columns():
    headers = [
        (node.get("scope"), node.text)
        for node in markup.table(["a", "b"], [["c", "1"], ["d", "2"]]).iter("th")
    ]
    assert headers == [("col", "a"), ("col", "b"), ("row", "c"), ("row", "d")]
    assert markup.table([], [["c", "1"]]).find(".//thead") is None


def test_the_style_loads_nothing_and_knows_dark_small_and_paper():
    style = html_pages.read(markup.document("a")).findtext("head/style")
    assert not re.search(r"url\(|@import|@font-face|//", style)
    for query in ("prefers-color-scheme: dark", "max-width", "print"):
        assert re.search(rf"@media [^{{]*{query}", style)
