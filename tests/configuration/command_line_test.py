"""Flags from configurations, flagfiles, --help by group."""

from __future__ import annotations

import dataclasses

import pytest

from spatial_keras.configuration import command_line
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
