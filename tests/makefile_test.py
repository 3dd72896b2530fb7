"""What `make` runs: the claim."""

from __future__ import annotations

import pathlib
import shlex
import subprocess

import pytest

from spatial_keras.configuration import command_line
from spatial_keras.configuration.table_config import TableConfig
from tests import script_calls, small

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def commands_of(*arguments):
    """Returns the scripts that make would call, each with its arguments."""
    dry = ["make", "--dry-run", "--silent", "--old-file=.venv/installed", *arguments]
    printed = subprocess.run(dry, capture_output=True, text=True, check=True).stdout
    lines = printed.replace("\\\n", " ").splitlines()
    calls = [shlex.split(line) for line in lines if "scripts/" in line]
    return [(pathlib.Path(script).name, rest) for _, script, *rest in calls]


def test_the_claim_is_about_cifar10_where_it_is_at_hand(tmp_path):
    (script, arguments), (second, _) = commands_of("claim", f"DATA_DIR={tmp_path}")
    assert (script, second) == ("table.py", "report.py")
    run = command_line.parse(TableConfig, arguments).run
    assert (run.dataset, run.model, run.data_dir) == ("cifar10", "airbench", str(tmp_path))
    (_, without), _ = commands_of("claim")
    assert command_line.parse(TableConfig, without).run.data_dir is None


def test_the_small_claim_trains_compares_and_continues(tmp_path):
    tiny = f"--model={small.MODEL} --image_size=8 --width=1 --steps=2 --batch_size=16 --xla=off"
    tiny += " --max_translation=1 --train_images=20 --test_images=9 --training_accuracy_images=5"
    tiny = tiny.split()
    for already in (False, True):
        (table, options), (report, page) = commands_of("claim", "SMALL=1", f"CLAIM={tmp_path}")
        trained = script_calls.call(script_calls.command(table, *options, *tiny))
        assert trained.returncode == 0, trained.stderr
        for row in ("std_star", "wo10_at", "wo10_kl"):
            assert f"{row}, seed 0{', finished before' * already}\n" in trained.stderr
        compared = script_calls.call(script_calls.command(report, *page))
        assert compared.returncode == 0, compared.stderr
        assert "wo10_kl against wo10_at" in compared.stdout
        assert (tmp_path / "report.html").exists()
