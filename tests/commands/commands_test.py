"""Commands by name, as a user of an installed package calls them."""

import sys

import pytest

from spatial_keras import commands
from tests import script_calls


def test_a_module_is_the_script(tmp_path):
    called = [sys.executable, "-m", "spatial_keras", "train", "--help"]
    module = script_calls.finish(called)
    script = script_calls.run("train.py", "--help")
    assert module.returncode == 0, module.stderr
    assert module.stdout == script.stdout and "--defense" in module.stdout


def test_no_command_names_them(capsys):
    commands.run_named([])
    text = capsys.readouterr().out
    assert all(name in text for name in commands.NAMES)


def test_an_unknown_command_gets_the_nearest(capsys):
    with pytest.raises(SystemExit) as end:
        commands.run_named(["trian"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(
        "error: unknown command 'trian': did you mean 'train'"
    )


@pytest.mark.parametrize("name", commands.NAMES)
def test_every_command_has_help(capsys, name):
    commands.run_named([name, "--help"])
    text = capsys.readouterr().out
    assert f"python -m spatial_keras {name}" in text and "\n  --" in text
