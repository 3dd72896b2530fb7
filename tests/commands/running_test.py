"""How a command runs: mistakes in one line, --help, the command as typed."""

from __future__ import annotations

import dataclasses
import re
import sys

import pytest
import tensorflow as tf

from spatial_keras.commands import running
from spatial_keras.configuration.options import Config, option


@dataclasses.dataclass(frozen=True)
class Example(Config):
    number: int = option(3, "First", "A number.", low=1)
    share: float | None = option(None, "First", "A share.")
    kind: str = option("one", "Second", "A kind.", choices=("one", "other"))
    sizes: tuple[int, ...] | None = option(None, "Second", "Sizes.", distinct=True)


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
        running.run(pytest.fail, Example, "", [argument])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line and len(line) < 2100


def test_errors_within_are_the_programs_own():
    def main(config):
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="of ours"):
        running.run(main, Example, "", [])


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
        running.run(main, Example, "", [])
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"error: not enough memory \((Unable to|OOM when) alloc.*\)\.$", line)


def test_help_has_the_head_and_the_defaults(capsys):
    running.run(pytest.fail, Example, "Does it.\n", ["--number=5", "--help"])
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
    assert running.typed() == typed
