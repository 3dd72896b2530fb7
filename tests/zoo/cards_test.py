"""Cards are what was written; damaged ones are refused in one line."""

import pytest

from spatial_keras.zoo import cards

CARD = cards.Card(
    "a", "for tests", ("fails", "fails again"), {"name": "resnet8"}, "0f", cards.data_of("digits"),
    {"steps": 3}, {"command": "x"}, {"grid": {"accuracy": 0.5, "low": 0.1, "high": 0.9}},
)  # fmt: skip


def test_a_card_comes_back_from_json(tmp_path):
    (tmp_path / "a.json").write_text(CARD.to_json())
    assert cards.read(tmp_path / "a.json") == CARD


def test_nothing_is_said_of_unknown_data():
    assert cards.data_of("mine") == {"name": "mine", "source": "", "licence": ""}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "list"),
        ('{"name": 3}', "'name' must be of type str"),
        ('{"name": "a", "measures": []}', "'measures' must be of type dict"),
        ('{"name": "a", "size": 1}', "size"),
    ],
)
def test_a_damaged_card_is_refused(tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=f"^card '.*a.json' cannot be read .*{reason}"):
        cards.read(tmp_path / "a.json")
