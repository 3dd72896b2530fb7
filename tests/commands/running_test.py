"""How a command runs: mistakes and failures in one line, the command as typed."""

from __future__ import annotations

import dataclasses
import re
import sys
import types

import pytest
import tensorflow as tf

from spatial_keras.commands import running
from spatial_keras.configuration.options import Config, option
from spatial_keras.experiments import interruption


@dataclasses.dataclass(frozen=True)
class Example(Config):
    number: int = option(3, "First", "A number.", low=1)
    share: float | None = option(None, "First", "A share.")
    kind: str = option("one", "Second", "A kind.", choices=("one", "other"))
    sizes: tuple[int, ...] | None = option(None, "Second", "Sizes.", distinct=True)


def run(main, *arguments):
    running.run(lambda: types.SimpleNamespace(main=main), Example, arguments)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--number=many", "many"),
        ("--number=0", "--number must be at least 1, got 0"),
        ("--numbr=1", "unknown flag '--numbr': did you mean '--number'?"),
        ("--kind=third", "third"),
        ("--sizes=1,x", "--sizes must be integers with commas between, got '1,x'"),
        ("stray", "not a flag: stray"),
        ("--undefok=numbr", "unknown flag '--undefok'"),
        ("--number=\x1b[2J\0", r"--number must be an integer, got '\x1b[2J\x00'."),
        (f"--number={'x' * 5000}", "--number must be an integer, got 'xxx"),
        ("--sizes=1,2,1", "--sizes has '1' 2 times."),
    ],
)
def test_mistakes_end_the_program_in_one_line(capsys, argument, message):
    with pytest.raises(SystemExit) as end:
        run(pytest.fail, argument)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line and len(line) < 2100


def test_errors_within_are_the_programs_own():
    def main(config):
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="of ours"):
        run(main)


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
        run(main)
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"error: not enough memory \((Unable to|OOM when) alloc.*\)\.$", line)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(36, "File name too long", "x"), "[Errno 36] File name too long: 'x'"),
        (RecursionError("maximum recursion depth exceeded"), "maximum recursion depth exceeded"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_what_files_do_is_one_line_that_says_how_to_continue(capsys, monkeypatch, error, said):
    def main(config):
        raise error

    monkeypatch.setattr(sys, "argv", ["scripts/train.py"])
    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")
    assert line.endswith(" To continue: python scripts/train.py")


@pytest.mark.parametrize(
    ("argv", "typed"),
    [
        (["scripts/train.py", "--a=b c"], "python scripts/train.py '--a=b c'"),
        (["/x/spatial_keras/__main__.py", "train"], "python -m spatial_keras train"),
        (["/x/bin/spatial-keras", "train"], "spatial-keras train"),
    ],
)
def test_the_command_as_typed(monkeypatch, argv, typed):
    monkeypatch.setattr(sys, "argv", argv)
    assert running.typed() == typed


def test_a_run_that_diverged_is_one_line(capsys):
    def main(config):
        raise interruption.DivergedError("the loss is nan at step 3")

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 1
    assert capsys.readouterr().err == "error: the loss is nan at step 3\n"


def test_what_a_terminal_would_obey_is_shown_as_text(capsys):
    running.show("Written: a\x1b[2J\x07.json")
    running.say("image '\x1b]0;x\x07' is left out")
    found = capsys.readouterr()
    assert found.out == "Written: a\\x1b[2J\\x07.json\n"
    assert found.err == "image '\\x1b]0;x\\x07' is left out\n"
