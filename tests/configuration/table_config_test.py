"""The flags of a table, and those that are refused."""

import pytest

from spatial_keras.configuration import command_line, options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.table_config import TableConfig


def test_a_table_has_the_flags_of_a_run():
    run, made = (
        {flag.name for flag in options.all_flags(kind)} for kind in (RunConfig, TableConfig)
    )
    assert run - made == {"defense", "seed"}
    assert made - run == {"defenses", "seeds"}


def test_mistakes_are_refused():
    for flags, message in [
        ("--defenses=", "^--defenses must be names with commas between, got ''"),
        ("--defenses=std,wo10_lk", "unknown defense 'wo10_lk': did you mean 'wo10_"),
        ("--defenses=std,wo1_at,std", "^--defenses has 'std' 2 times"),
        ("--seeds=0", "^--seeds must be at least 1"),
        (
            "--defenses=std,wo2_at --lambda=2",
            "^--lambda has no effect on any of --defenses=std,wo2",
        ),
        ("--grid_counts=3,3,3", "^--grid_counts has no effect on any"),
    ]:
        with pytest.raises(ValueError, match=message):
            command_line.parse(TableConfig, ["--defenses=wo2_kl", *flags.split()])
