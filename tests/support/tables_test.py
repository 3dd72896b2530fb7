"""Tables as text, against numbers by hand and against the csv module."""

import csv
import fractions
import io

import numpy as np
import pytest

from spatial_keras.support import tables


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        (49.35, 1, "49.4"), (49.05, 1, "49.1"), (2.675, 2, "2.68"), (0.5, 0, "1"),
        (-49.35, 1, "-49.4"), (100 * 0.285, 0, "29"), (np.mean([49.3, 49.4]), 1, "49.4"),
        (-0.04, 1, "0.0"), (1234567.25, 1, "1234567.3"), (np.float32(0.5), 3, "0.500"),
    ],
)  # fmt: skip
def test_halves_are_rounded_up_whatever_their_bits_are(number, decimals, text):
    assert tables.rounded(number, decimals) == text


def test_shares_of_images_are_rounded_as_the_fractions_they_are():
    for count in range(0, 2001, 7):
        exact = fractions.Fraction(100 * count, 2000) * 10
        by_hand = int(exact + fractions.Fraction(1, 2))
        assert tables.rounded(100 * (count / 2000), 1) == f"{by_hand // 10}.{by_hand % 10}"


def test_a_sign_is_shown_where_it_is_wanted():
    assert [tables.rounded(x, 1, "+") for x in (1.25, -1.25, 0)] == ["+1.3", "-1.3", "+0.0"]


def test_text_that_markdown_shows_as_it_is():
    assert tables.escaped("a_b|*c*\n\x1b[1m <b> &#96; ~~d~~") == (
        r"a\_b\|\*c\* \\x1b\[1m &lt;b> &amp;\#96; &#126;&#126;d&#126;&#126;"
    )


def test_markdown():
    assert tables.markdown(["a", "b"], [["1", "-"]]) == "| a | b |\n| --- | --- |\n| 1 | - |"


def test_numbers_have_six_digits_and_nothing_is_an_empty_cell():
    text = tables.to_csv(["a", "b"], [[1 / 3, None], [np.float32(-2.5), np.int32(1234567)]])
    assert text == "a,b\n0.333333,\n-2.5,1234567\n"


FORMULAS = ('=HYPERLINK("http://x";"y")', "+a", "-a", "@SUM(1)", "\t=1", "=1\n", "=")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_and_comes_back_as_it_was(text):
    written = tables.to_csv(["name"], [[text]])
    ((cell,),) = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert cell == f"'{text}"
    assert tables.from_csv(written) == [{"name": text}]


def test_a_carriage_return_ends_no_row():
    written = tables.to_csv(["name", "x"], [["\r=1", "a\rb"]])
    assert list(csv.reader(io.StringIO(written)))[1] == ["' =1", "a b"]


@pytest.mark.parametrize("text", ["a=1", "'quoted'", "-1", "+2.5", 'a,"b"\n', "ü", ""])
def test_all_other_texts_are_as_they_are(text):
    written = tables.to_csv(["name", "x"], [[text, 1]])
    assert list(csv.reader(io.StringIO(written)))[1] == [text, "1"]
    assert tables.from_csv(written)[0]["name"] == text


def test_what_is_no_table_is_refused():
    for text in ["a,b\n1\n", "a\n1,2\n", 'a\n"', ""]:
        with pytest.raises(ValueError):
            tables.from_csv(text)


def test_percents_and_lists_are_as_people_say_them():
    shares = {0: "0%", 0.0004: "0.0%", 0.004: "0.4%", 0.985: "99%", 0.9961: "99.6%", 1: "100%"}
    assert {share: tables.percent(share) for share in shares} == shares
    assert [tables.listed("abc"[:number]) for number in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
