"""Flags by group, and mistakes in one line."""

import pytest
import small
from absl import flags

from spatial_keras import command_line, experiment


@pytest.fixture(name="values")
def make_values():
    values = flags.FlagValues()
    command_line.define(GROUPS, values)
    return values


GROUPS = {
    "First": ((flags.DEFINE_integer, "number", 3, "A number."),),
    "Second": (
        (flags.DEFINE_string, "name", None, "A name."),
        (flags.DEFINE_enum, "kind", "one", ["one", "other"], "A kind."),
    ),
}


def test_help_names_every_flag_in_its_group():
    values = small.parsed()
    text = command_line.help_text(experiment.FLAGS, values)
    groups = [
        text.index(f"\n{group}:")
        for group in ("Data", "Network", "Defense", "Training", "Execution", "Output")
    ]
    assert groups == sorted(groups)
    for flag in values.flags_by_module_dict()["Training"]:
        assert groups[3] < text.index(f"--{flag.name}:") < groups[4]


def test_values_are_those_of_the_groups(values):
    values(["program", "--name=x"])
    assert command_line.values(GROUPS, values) == {"number": 3, "name": "x", "kind": "one"}


def test_the_parser_reads_flags(values):
    assert command_line.parser(GROUPS, flag_values=values)(["program", "--number=5"]) == ["program"]
    assert values.number == 5


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--number=many", "many"),
        ("--numbr=1", "Unknown command line flag 'numbr'"),
        ("--kind=third", "third"),
        ("stray", "not a flag: stray"),
    ],
)
def test_mistakes_end_the_program_in_one_line(values, capsys, argument, message):
    with pytest.raises(SystemExit) as end:
        command_line.parser(GROUPS, flag_values=values)(["program", argument])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_help_has_defaults_and_the_epilog(values, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.parser(GROUPS, "The end.", values)(["program", "--help"])
    assert not end.value.code
    text = capsys.readouterr().out
    assert "First:\n  --number: A number. (default: 3)" in text
    assert "Second:\n  --name: A name.\n" in text and text.endswith("The end.")
