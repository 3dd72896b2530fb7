"""Flags from configurations, flagfiles, --help by group."""

from __future__ import annotations

import dataclasses

import pytest

from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.options import Config, option
from spatial_keras.configuration.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class Example(Config):
    number: int = option(3, "First", "A number.", low=1)
    share: float | None = option(None, "First", "A share.")
    name: str | None = option(None, "Second", "A name.")
    kind: str = option("one", "Second", "A kind.", choices=("one", "other"))
    loud: bool = option(False, "Second", "Whether to shout.")
    sizes: tuple[int, ...] | None = option(None, "Second", "Sizes.", distinct=True)
    place: str | None = option(None, "Second", "Where.", is_path=True, recorded=False)


def test_help_names_every_flag_in_its_group():
    text = command_line.help_text(RunConfig)
    titles = ("Data", "Network", "Defense", "Training", "Execution", "Output")
    places = [text.index(f"\n{title}:") for title in titles]
    assert places == sorted(places)
    for flag in options.own_flags(RunConfig):
        group = titles.index(flag.option.group)
        place = text.index(f"--{flag.name}: {flag.option.help}")
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
    ("arguments", "expected"),
    [
        (["-number=4", "--share", "0.5"], Example(4, 0.5)),
        (["--loud=false", "--loud=T"], Example(loud=True)),
        (["--loud", "--number=9", "--number=2"], Example(2, loud=True)),
        (["--noloud"], Example()),
        (["--place=~/x", "--name=~"], Example(name="~", place="/home/someone/x")),
        (["--place=folder:~/x"], Example(place="folder:/home/someone/x")),
        (["--place=~nosuchuser/x"], Example(place="~nosuchuser/x")),
    ],
)
def test_ways_to_write_a_flag(monkeypatch, arguments, expected):
    monkeypatch.setenv("HOME", "/home/someone")
    assert command_line.parse(Example, arguments) == expected


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--NUMBER=1", "^unknown flag '--NUMBER': did you mean '--number'[?]"),
        ("--nonumber", "^unknown flag '--nonumber': did you mean '--number'"),
        ("--loud=maybe", "^--loud must be true or false, got 'maybe'"),
        ("--number", "^--number needs a value: --number=VALUE"),
        ("--number=\u0663", "^--number must be an integer, got '\u0663'"),
        ("--number=1_000", "^--number must be an integer, got '1_000'"),
        ("--share=\uff15", "^--share must be a number, got '\uff15'"),
        ("--sizes=1,\u0663", "^--sizes must be integers with commas between"),
        ("--", "^not a flag: --"),
        ("-", "^not a flag: -"),
    ],
)
def test_what_is_no_flag_is_refused(argument, message):
    with pytest.raises(ValueError, match=message):
        command_line.parse(Example, [argument])


def test_a_switch_and_its_opposite_are_refused_unless_a_file_says_one(tmp_path):
    with pytest.raises(ValueError, match="^give --loud or --noloud, not both"):
        command_line.parse(Example, ["--loud", "--noloud"])
    (tmp_path / "a.flags").write_text("--loud\n")
    arguments = [f"--flagfile={tmp_path / 'a.flags'}", "--noloud"]
    assert not command_line.parse(Example, arguments).loud


def test_a_runs_flagfile_leads_nowhere_else(tmp_path):
    (tmp_path / "other.flags").write_text("--number=5\n")
    for line in (f"--flagfile={tmp_path}/other.flags", f"-flagfile\n{tmp_path}/other.flags"):
        (tmp_path / "a.flags").write_text(line)
        with pytest.raises(ValueError, match="a.flags cannot be read: it names another flagfile"):
            command_line.read(Example, tmp_path / "a.flags")
    (tmp_path / "link.flags").symlink_to(tmp_path / "other.flags")
    with pytest.raises(ValueError, match="link.flags cannot be read: .* is a link"):
        command_line.read(Example, tmp_path / "link.flags")
