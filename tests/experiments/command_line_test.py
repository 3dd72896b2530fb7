"""Flags from configurations, flagfiles, --help by group, and mistakes in one line."""

from __future__ import annotations

import dataclasses
import re
import sys

import pytest
import tensorflow as tf

from spatial_keras.experiments import command_line
from spatial_keras.experiments.options import Config, option
from spatial_keras.experiments.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class Example(Config):
    number: int = option(3, "First", "A number.", low=1)
    share: float | None = option(None, "First", "A share.")
    name: str | None = option(None, "Second", "A name.")
    kind: str = option("one", "Second", "A kind.", choices=("one", "other"))
    loud: bool = option(False, "Second", "Whether to shout.")
    sizes: tuple[int, ...] | None = option(None, "Second", "Sizes.", distinct=True)
    place: str | None = option(None, "Second", "Where.", recorded=False)


def test_help_names_every_flag_in_its_group():
    text = command_line.help_text(RunConfig)
    titles = ("Data", "Network", "Defense", "Training", "Execution", "Output")
    places = [text.index(f"\n{title}:") for title in titles]
    assert places == sorted(places)
    for field in dataclasses.fields(RunConfig):
        group = titles.index(field.metadata["option"].group)
        place = text.index(f"--{field.name.rstrip('_')}: {field.metadata['option'].help}")
        assert places[group] < place < (*places, len(text))[group + 1]


def test_arguments_become_a_configuration():
    arguments = ["--number=5", "--share=0.5", "--loud", "--sizes=4, 6", "--place=here"]
    found = command_line.parse(Example, arguments)
    assert found == Example(5, 0.5, None, "one", True, (4, 6), "here")
    assert command_line.parse(Example, []) == Example()


def test_a_flagfile_repeats_what_is_recorded(tmp_path):
    config = Example(5, 0.1, "it's", "other", True, (4, 6), "here")
    (tmp_path / "a.flags").write_text(command_line.flagfile(config))
    assert command_line.read(Example, tmp_path / "a.flags") == dataclasses.replace(
        config, place=None
    )
    again = command_line.read(Example, tmp_path / "a.flags", "--number=7")
    assert again.number == 7 and again.name == "it's"


def test_an_unreadable_flagfile_is_named(tmp_path):
    (tmp_path / "a.flags").write_text("--nothing=1\n")
    with pytest.raises(ValueError, match="a.flags cannot be read: .*nothing"):
        command_line.read(Example, tmp_path / "a.flags")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--number=many", "many"),
        ("--number=0", "--number must be at least 1, got 0"),
        ("--numbr=1", "Unknown command line flag 'numbr'"),
        ("--kind=third", "third"),
        ("--sizes=1,x", "--sizes must be integers with commas between, got '1,x'"),
        ("stray", "not a flag: stray"),
        ("--undefok=numbr", "Unknown command line flag 'undefok'"),
        ("--number=\x1b[2J\0", r"--number must be an integer, got '\x1b[2J\x00'."),
        (f"--number={'x' * 5000}", "--number must be an integer, got 'xxx"),
        ("--sizes=1,2,1", "--sizes has '1' 2 times."),
    ],
)
def test_mistakes_end_the_program_in_one_line(capsys, argument, message):
    with pytest.raises(SystemExit) as end:
        command_line.run(pytest.fail, Example, "", [argument])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line and len(line) < 2100


def test_errors_within_are_the_programs_own():
    def main(config):
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="of ours"):
        command_line.run(main, Example, "", [])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 1 TiB"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor [9,9] [Op:Mul]"),
    ],
)
def test_too_little_memory_is_one_line(capsys, error):
    def main(config):
        raise error

    with pytest.raises(SystemExit) as end:
        command_line.run(main, Example, "", [])
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"error: not enough memory \((Unable to|OOM when) alloc.*\)\.$", line)


def test_help_has_the_head_and_the_defaults(capsys):
    command_line.run(pytest.fail, Example, "Does it.\n", ["--number=5", "--help"])
    text = capsys.readouterr().out
    assert text.startswith("Does it.\n")
    assert "First:\n  --number: A number. (default: 3)\n  --share: A share.\n" in text
    assert "--flagfile=FILE" in text


@pytest.mark.parametrize(
    ("argv", "typed"),
    [
        (["scripts/train.py", "--a=b c"], "python scripts/train.py '--a=b c'"),
        (["/x/spatial_keras/__main__.py", "train"], "python -m spatial_keras train"),
    ],
)
def test_the_command_as_typed(monkeypatch, argv, typed):
    monkeypatch.setattr(sys, "argv", argv)
    assert command_line.typed() == typed
