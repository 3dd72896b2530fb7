"""Files of a search that are damaged, or hostile, are one line; no code of theirs runs."""

import json
import sys

import keras_tuner as kt
import pytest

from spatial_keras.experiments import search_state


def searched(folder):
    """Returns the files of a search of one trial."""
    folder.mkdir(exist_ok=True)
    oracle = kt.oracles.RandomSearchOracle(objective=kt.Objective("grid", "max"), max_trials=3)
    oracle._set_project_dir(str(folder.parent), folder.name)
    hp = kt.HyperParameters()
    hp.Float("rate", 0.1, 1)
    hp.Choice("k", [1, 5])
    with hp.conditional_scope("k", [5]):
        hp.Boolean("deep")
    oracle.update_space(hp)
    trial = oracle.create_trial("tuner0")
    (folder / f"trial_{trial.trial_id}").mkdir(exist_ok=True)
    trial.save(str(folder / f"trial_{trial.trial_id}" / "trial.json"))
    oracle.save()
    return [folder / "oracle.json", folder / f"trial_{trial.trial_id}" / "trial.json"]


def test_what_kerastuner_writes_is_read(tmp_path):
    search_state.check(tmp_path / "none")
    files = searched(tmp_path / "search")
    assert all(b"class_name" in file.read_bytes() for file in files)
    search_state.check(tmp_path / "search")


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("content", ["", "null", "[]", "{", "\xff", '{"trial_id": "../../x"}'])
def test_damaged_files_are_named(tmp_path, number, content):
    file = searched(tmp_path / "search")[number]
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match="^the state of the search in .*json cannot be") as error:
        search_state.check(tmp_path / "search")
    assert str(file) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("number", [0, 1])
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
    file = searched(tmp_path / "search")[number]
    state = json.loads(file.read_text())
    state["hyperparameters"]["space"].append(hostile)
    file.write_text(json.dumps(state))
    with pytest.raises(ValueError, match="cannot be read .it names ") as error:
        search_state.check(tmp_path / "search")
    assert "\n" not in str(error.value) and not ran.exists()
    sys.modules.pop("hostile_state", None)
