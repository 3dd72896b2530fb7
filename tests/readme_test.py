"""The README's code runs as it stands, and its table names real defenses."""

import pathlib
import re

import pytest

from spatial_keras.training import defenses

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    training, evaluation = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(compile(training, "README.md", "exec"), names)
    assert "natural_accuracy" in capsys.readouterr().out
    assert (tmp_path / "classifier.keras").exists()
    exec(compile(evaluation, "README.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["natural", "grid", "attack"]


DEFENSES = re.search(r"^\| name \| in the paper .*\n((?:\|.*\n)+)", README, re.MULTILINE)[1]


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+)`", DEFENSES, re.MULTILINE))
def test_the_table_names_defenses(name):
    assert defenses.get(name).name == name


def test_pictures_and_flagfiles_exist():
    named = re.findall(r"\]\((docs/[^)]+)\)|--flagfile=(flags/[\w./]+)", README)
    assert named
    for paths in named:
        assert (ROOT / "".join(paths)).exists()
