"""The leaderboard ranks cards, says what was measured, and is the page in docs/."""

import pathlib

from spatial_keras import zoo
from spatial_keras.reporting import leaderboard
from spatial_keras.zoo.cards import Card

ROOT = pathlib.Path(__file__).parents[2]


def card(name, grid, data="digits", images=10):
    measure = {"accuracy": grid, "low": grid / 2, "high": 1.0, "images": images}
    return Card(
        name, data={"name": data}, training={"defense": "std", "steps": 5},
        evaluation={"transformations": "rotation up to 30 degrees"}, measures={"grid": measure},
    )  # fmt: skip


def tables(text):
    """The cells of each table of a page."""
    blocks = [block for block in text.split("\n\n") if block.startswith("| ")]
    return [
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.strip().splitlines()]
        for block in blocks
    ]


def test_the_page_in_docs_is_that_of_the_zoo():
    page = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert page == leaderboard.markdown([zoo.card(name) for name in zoo.names()])


def test_cards_are_ranked_by_grid_accuracy_apart_from_what_cannot_be_compared():
    cards = [card("low", 0.25), card("other", 0.9, "photos"), card("high", 0.5)]
    cards.append(card("few", 1, images=3))
    ten, few, photos, *published = tables(leaderboard.markdown(cards))
    assert [row[0] for row in ten[2:]] == ["high", "low"]
    assert [[row[0] for row in table[2:]] for table in (few, photos)] == [["few"], ["other"]]
    assert ten[2] == ["high", "std", "-", "-", "50.0 (25.0 to 100.0)", "-", "5"]
    assert ["WRN-40-2, worst of 10", "95.0", "73.9"] in published[0]


def test_what_a_card_says_cannot_change_the_page():
    text = leaderboard.markdown([card("a|b`<img src=x>\n# c", 0.5, "<script>")])
    assert r"| a\|b\`&lt;img src=x> \# c |" in text and "<script>" not in text
