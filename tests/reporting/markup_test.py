"""Texts stay texts, and a page needs nothing but itself."""

import datetime
import re

import pytest

from spatial_keras.reporting import markup
from tests import html_pages

TEXTS = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b &lt; c", "' \" λ ±")
MADE = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)


def picture(text="a", wide=False):
    return markup.Picture("png", b"\x00\xff", text, text, wide)


def section(text="a", header=("a", "b"), rows=(("c", "1"), ("d", "2")), best=(), examples=None):
    run = markup.Run(text, text, [(text, text)], [text, text], examples)
    return markup.Section(text, header, rows, best, [text], [picture(text)], [text], [run])


def page(*sections, title="a", unfinished=(), damaged=()):
    return html_pages.read(markup.page(title, MADE, sections, unfinished, damaged))


@pytest.mark.parametrize("text", TEXTS)
def test_texts_stay_texts(text):
    made = section(text, [text, text], [[text, text]], [(0, 1)], picture(text))
    found = page(made, title=text, unfinished=[text], damaged=[text])
    figure = ["figure", "div", "img", "figcaption"]
    assert [node.tag for node in found.iter()] == [
        "html", "head", "meta", "meta", "meta", "title", "style", "body", "main", "h1", "p", "time",
        "section", "h2",
        "div", "table", "thead", "tr", "th", "th", "tbody", "tr", "th", "td", "strong",
        "p", "code", "div", *figure, "p", "h3",
        "details", "summary", "code", "div", "table", "tbody", "tr", "th", "td",
        "p", "pre", "code", "code", *figure,
        "section", "h2", "p", "ul", "li", "code", "section", "h2", "p", "ul", "li",
    ]  # fmt: skip
    main, words = found.find("body/main"), " ".join(text.split())
    assert found.findtext("head/title") == main.findtext("h1") == text
    headings = [node.findtext("h2") for node in main.iter("section")]
    assert headings == [text, "Not finished", "Damaged"]
    of_runs, of_run = main.iter("table")
    assert html_pages.cells(of_runs) == [[words] * 2] * 2
    assert html_pages.cells(of_run) == [[words] * 2]
    assert [node.text for node in main.iter("code")] == [text] * 5
    assert html_pages.words(main.find(".//summary")) == f"{words}: {words}"
    for figure in main.iter("figure"):
        (image,) = figure.iter("img")
        assert image.get("alt") == figure.findtext("figcaption") == text
        assert html_pages.content(image, "png") == b"\x00\xff"


def test_only_the_best_cells_are_stressed():
    found = page(section(best=[(1, 1)]))
    assert [node.text for node in found.iter("strong")] == ["2"]
    assert not list(page(section()).iter("strong"))


def test_wide_pictures_say_so():
    figures = page(section(examples=picture(wide=True))).iter("figure")
    assert [figure.get("class") for figure in figures] == [None, "wide"]


def test_tables_name_their_rows_and_columns():
    of_runs, of_run = page(section()).iter("table")
    headers = [(node.get("scope"), node.text) for node in of_runs.iter("th")]
    assert headers == [("col", "a"), ("col", "b"), ("row", "c"), ("row", "d")]
    assert of_run.find(".//thead") is None


def test_a_page_says_when_it_was_made():
    time = page(title="a").find(".//time")
    assert (time.get("datetime"), time.text) == ("2026-01-02T03:04:00+00:00", "2026-01-02 03:04")


def test_the_style_loads_nothing_and_knows_dark_small_and_paper():
    style = page().findtext("head/style")
    assert "details > :not(summary)" in style  # as it is, not escaped
    assert not re.search(r"url\(|@import|@font-face|//", style)
    for query in ("prefers-color-scheme: dark", "max-width", "print"):
        assert re.search(rf"@media [^{{]*{query}", style)


def test_runs_are_unfolded_on_paper():
    style = page().findtext("head/style")
    assert "details::details-content" in style[style.index("@media print") :]
