"""The README's code runs as it stands, and its table names real defenses."""

import pathlib
import re

import pytest

from spatial_keras import defenses

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "natural_accuracy" in capsys.readouterr().out
    assert (tmp_path / "classifier.keras").exists()


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+)`", README, re.MULTILINE))
def test_the_table_names_defenses(name):
    assert defenses.get(name).name == name


def test_pictures_and_flagfiles_exist():
    named = re.findall(r"\]\((docs/[^)]+)\)|--flagfile=(flags/[\w./]+)", README)
    assert named
    for paths in named:
        assert (ROOT / "".join(paths)).exists()
