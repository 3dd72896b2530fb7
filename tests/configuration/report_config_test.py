"""Flags of the page about runs that are refused."""

import pytest

from spatial_keras.configuration import command_line
from spatial_keras.configuration.report_config import ReportConfig


def test_mistakes_are_refused():
    for flags, message in [
        ("", "give --runs=FOLDER"),
        ("--runs=. --output=a.pdf", r"--output must be NAME\.html, got 'a\.pdf'"),
        ("--runs=. --nobest_run --data_dir=.", "--data_dir has no effect with --nobest_run"),
        ("--runs=. --data_dir=/none", "--data_dir: there is no folder '/none'"),
        (f"--runs=. --output={__file__}/a.html", "--output: '.*_test.py' is a file, where a"),
        ("--runs=. --compare=std,std", "--compare has 'std' 2 times"),
    ]:
        with pytest.raises(ValueError, match=message):
            command_line.parse(ReportConfig, flags.split())
