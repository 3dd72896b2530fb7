"""The script as a user calls it."""

from spatial_keras import zoo
from spatial_keras.reporting import leaderboard
from spatial_keras.zoo.cards import Card
from tests import script_calls


def test_the_zoo_is_shown_and_ranked_beside_own_cards(tmp_path):
    card = Card("mine", measures={"grid": {"accuracy": 0.5, "low": 0.4, "high": 0.6, "images": 9}})
    (tmp_path / "mine.json").write_text(card.to_json())
    page = tmp_path / "page.md"
    options = (f"--cards={tmp_path / 'mine.json'}", f"--leaderboard={page}")
    found = script_calls.run("zoo.py", *options, COLUMNS="200")
    assert found.returncode == 0, found.stderr
    for name in (*zoo.names(), "mine"):
        assert f" {name} " in found.stdout
    assert page.read_text() == leaderboard.markdown([*map(zoo.card, zoo.names()), card])
