"""Commands by name, as a user of an installed package calls them."""

import subprocess
import sys

import pytest

import spatial_keras
from spatial_keras import commands
from tests import script_calls

# Calls a command by this name of its program, and says whether that loaded TensorFlow.
LIGHT = """
import sys
sys.argv[0] = "/somewhere/spatial-keras"
from spatial_keras import commands
try:
    commands.main()
finally:
    print("tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--version"], f"spatial_keras {spatial_keras.__version__}\nFalse\n"),
        (["train", "--steps=0"], "False\n"),
        (["plot", "--figures=costs"], "False\n"),
        (["evaluate", "--help"], None),
    ],
)
def test_what_needs_no_tensorflow_does_without(arguments, said):
    found = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments],
        capture_output=True,
        text=True,
        env=script_calls.ENVIRONMENT,
    )
    assert said in (None, found.stdout), found.stderr
    assert found.stdout.endswith("False\n") and "Traceback" not in found.stderr


def test_a_module_is_the_script():
    called = [sys.executable, "-m", "spatial_keras", "train", "--help"]
    module = script_calls.finish(called)
    script = script_calls.run("train.py", "--help")
    assert module.returncode == 0 and not module.stderr
    assert module.stdout == script.stdout and "--defense" in module.stdout


def test_no_command_names_them_and_what_they_do(capsys):
    commands.main([])
    text = capsys.readouterr().out
    for name, command in commands.COMMANDS.items():
        assert f"  {name:10}{command.does}\n" in text


def test_an_unknown_command_gets_the_nearest(capsys):
    with pytest.raises(SystemExit) as end:
        commands.main(["trian"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(
        "error: unknown command 'trian': did you mean 'train'"
    )


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_has_help(capsys, name):
    commands.main([name, "--flagfile=none", "--help"])
    text = capsys.readouterr().out
    assert f"\n  spatial-keras {name} --" in text and "\n  --" in text
