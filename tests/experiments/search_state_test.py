"""Files of a search that are damaged are named, those that are hostile run nothing."""

import json
import sys

import keras_tuner as kt
import pytest

from spatial_keras.experiments import search_state
from spatial_keras.support import files


def oracle(folder):
    hp = kt.HyperParameters()
    hp.Float("rate", 0.1, 1)
    hp.Choice("k", [1, 5])
    with hp.conditional_scope("k", [5]):
        hp.Boolean("deep")
    return search_state.oracle(
        kt.oracles.RandomSearchOracle, folder, objective=kt.Objective("grid", "max"),
        max_trials=9, seed=1, hyperparameters=hp,
    )  # fmt: skip


def restored(folder):
    found = oracle(folder)
    search_state.restore(found)
    return found


def ended(oracle, trial, grid=0.5):
    oracle.update_trial(trial.trial_id, {"grid": grid})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def values(oracle):
    return {name: trial.hyperparameters.values for name, trial in oracle.trials.items()}


def searched(folder):
    """Returns a search of which one trial has ended and one is at work, and its files."""
    found = oracle(folder)
    ended(found, found.create_trial("tuner0"))
    found.create_trial("tuner0")
    names = ("oracle.json", "trial_0/trial.json", "trial_1/trial.json")
    return found, [folder / name for name in names]


def test_a_search_goes_on_where_it_was(tmp_path):
    assert restored(tmp_path).trials == {}
    first, written = searched(tmp_path)
    assert all(b"class_name" in file.read_bytes() for file in written)
    second = restored(tmp_path)
    assert values(second) == values(first) and second.trials["0"].score == 0.5
    again = second.create_trial("tuner0")
    assert (again.trial_id, again.hyperparameters.values) == ("1", values(first)["1"])
    ended(first, first.trials["1"])
    ended(second, again)
    assert second.create_trial("tuner0").hyperparameters.values == (
        first.create_trial("tuner0").hyperparameters.values
    )


@pytest.mark.parametrize("ends", ["oracle.json", "trial.json"])
def test_a_process_killed_while_it_writes_loses_no_trial(tmp_path, monkeypatch, ends):
    expected = oracle(tmp_path / "whole")
    for _ in range(3):
        ended(expected, expected.create_trial("tuner0"))
    killed, _ = searched(tmp_path / "killed")
    ended(killed, killed.trials["1"])
    write = files.write_text

    def killed_in(path, text):
        if path.name == ends:
            path.with_name(f".partial-{path.name}").write_text(text[:50])
            raise KeyboardInterrupt
        write(path, text)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_text", killed_in)
        with pytest.raises(KeyboardInterrupt):
            killed.create_trial("tuner0")
    found = restored(tmp_path / "killed")
    ended(found, found.create_trial("tuner0"))
    assert values(found) == values(expected) and found.start_order == ["0", "1", "2"]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(
    "content", ["", "null", "[]", "{}", "{", "\xff", "[" * 10**5, '{"trial_id": "../../x"}', None]
)
def test_damaged_files_are_named_and_kept(tmp_path, number, content):
    file = searched(tmp_path)[1][number]
    if content is None:
        content = file.read_bytes()[: file.stat().st_size // 2].decode()
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(search_state.DamagedSearchError) as error:
        restored(tmp_path)
    assert str(error.value).startswith(f"{file} is damaged (") and "\n" not in str(error.value)
    kept = file.with_name(f"damaged_{file.name}")
    assert not file.exists() and kept.read_bytes() == content.encode("latin-1")


def test_a_trial_that_is_gone_is_named(tmp_path):
    file = searched(tmp_path)[1][1]
    file.unlink()
    with pytest.raises(search_state.DamagedSearchError, match="trial_0.*No such file"):
        restored(tmp_path)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(
    "hostile",
    [
        {"class_name": "Thing", "config": {}, "module": "hostile_state"},
        {"class_name": "Float", "config": {}, "module": "hostile_state"},
        {"class_name": "function", "config": "Thing", "module": "hostile_state"},
        {"class_name": "hostile_state>Thing", "config": {}},
    ],
)
def test_other_classes_are_refused(tmp_path, monkeypatch, number, hostile):
    ran = tmp_path / "ran"
    (tmp_path / "hostile_state.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = searched(tmp_path / "search")[1][number]
    state = json.loads(file.read_text())
    state["hyperparameters"]["space"].append(hostile)
    file.write_text(json.dumps(state))
    with pytest.raises(ValueError, match="is not of KerasTuner: it names ") as error:
        restored(tmp_path / "search")
    assert "\n" not in str(error.value) and not ran.exists() and file.exists()
    assert not isinstance(error.value, search_state.DamagedSearchError)
    sys.modules.pop("hostile_state", None)
