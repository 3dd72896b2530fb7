"""The soak as a user runs it, of few runs."""

import re

import pytest

from tests import script_calls


@pytest.mark.slow
def test_a_table_that_is_killed_ends_as_one_that_is_not():
    found = script_calls.run("soak.py", "--seeds=1", "--kills=2")
    assert found.returncode == 0, found.stderr
    first, *memory = found.stdout.splitlines()
    assert re.fullmatch(r"3 runs, killed [12] times, with other accuracies: \[\]", first)
    assert [line.split(":")[0] for line in memory] == ["std", "wo2_at", "pgd2_kl"]
