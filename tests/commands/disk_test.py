"""Disks that are full or read-only: one line, nothing half written, the same command goes on."""

import json
import os
import pathlib
import subprocess
from unittest import mock

import pytest
import tensorflow as tf

from spatial_keras.configuration import command_line
from spatial_keras.experiments import run_folder, table
from tests import made_results, script_calls, small

RUN = (*small.RUN, "--steps=2", "--test_images=9")
# Large enough that its checkpoint and its classifier do not fit where the flags do.
RESNET_RUN = (*small.RESNET_RUN, "--steps=2", "--test_images=9")
TABLE = (*(flag for flag in RUN if "defense" not in flag), "--defenses=std,wo1_at", "--seeds=1")


@pytest.fixture(name="disk")
def mount(tmp_path):
    """A disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def leave(disk: pathlib.Path, free: int) -> None:
    """Fills the disk but for some bytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    state = os.statvfs(disk)
    ballast.write_bytes(bytes(max(state.f_bavail * state.f_frsize - free, 0)))


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "ballast"
    }


def refused(script, *arguments, code=1):
    """Returns the line with which a command ended that could not write."""
    command = script_calls.command(script, *arguments)
    with mock.patch("sys.argv", command[1:]):
        found = script_calls.call(command)
    assert found.returncode == code, found.stderr
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in found.stderr
    return line


def finished(script, *arguments):
    found = script_calls.call(script_calls.command(script, *arguments))
    assert found.returncode == 0, found.stderr
    return found


def test_a_run_on_a_full_disk_goes_on_when_there_is_space(disk):
    folder = disk / "run"
    arguments = (*RESNET_RUN, f"--output_dir={folder}")
    for free, name in (
        (0, "run.flags"), (30_000, "checkpoints/ckpt-2"), (150_000, "classifier.keras"),
    ):  # fmt: skip
        leave(disk, free)
        line = refused("train.py", *arguments)
        assert line.startswith(f"error: cannot write {folder / name}: No space left on device.")
        left = files_of(folder)
        assert not [file for file in left if file.startswith(".") or file.startswith(name)]
    (disk / "ballast").unlink()
    assert finished("train.py", *arguments).stderr.startswith("All 2 steps are done; evaluating.")
    assert json.loads((folder / "results.json").read_text())["flags"]["steps"] == "2"


@pytest.fixture(name="runs")
def make_runs(disk):
    """A folder with the finished runs of a table."""
    config = command_line.parse(table.TableConfig, [*TABLE, f"--output_dir={disk / 'runs'}"])
    for run in config.runs():
        folder = run_folder.RunFolder(run.folder, run)
        folder.write_results(made_results.results(**run.texts()))
        folder.close()
    return disk / "runs"


@pytest.mark.parametrize(
    ("script", "arguments", "name"),
    [
        ("table.py", [*TABLE, "--output_dir={runs}"], "table.md"),
        ("report.py", ["--runs={runs}", "--nobest_run"], "report.html"),
        ("plot.py", ["--figures=cost", "--runs={runs}", "--output_dir={runs}"], "cost.png"),
    ],
)
def test_what_a_full_disk_cannot_take_is_as_it_was(disk, runs, script, arguments, name):
    arguments = [argument.format(runs=runs) for argument in arguments]
    (runs / name).write_text("old")
    before = files_of(disk)
    leave(disk, 0)
    line = refused(script, *arguments)
    assert line.startswith(f"error: cannot write {runs / name}: No space left on device.")
    assert ("To continue: " in line) == (script == "table.py")
    assert files_of(disk) == before
    (disk / "ballast").unlink()
    finished(script, *arguments)
    assert len((runs / name).read_bytes()) > 100


@pytest.fixture(name="model")
def make_model(tmp_path):
    inputs = tf.keras.Input([8, 8, 1])
    outputs = tf.keras.layers.Dense(10)(tf.keras.layers.Flatten()(inputs))
    tf.keras.Model(inputs, outputs).save(tmp_path / "some.keras")
    return tmp_path / "some.keras"


def test_an_evaluation_on_a_full_disk_goes_on_when_there_is_space(disk, model):
    options = ("--dataset=digits", "--image_size=8", "--limit=40", "--measures=natural,random")
    options = (f"--model={model}", *options, f"--output={disk / 'found.json'}")
    for free, name in ((0, ".partial-found/settings.json"), (9_000, ".partial-found/natural.npz")):
        leave(disk, free)
        line = refused("evaluate.py", *options)
        assert line.startswith(f"error: cannot write {disk / name}: No space left on device.")
        assert line.endswith("--resume") and not [*disk.glob("*.json"), *disk.glob(".lock*")]
    (disk / "ballast").unlink()
    finished("evaluate.py", *options, "--resume")
    assert set(files_of(disk)) == {"found.json", "found.csv"}


def test_what_cannot_be_written_is_one_line(disk, model):
    made = disk / "classifier.keras"
    made.write_bytes(model.read_bytes())
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    options = ("--dataset=digits", "--image_size=8", "--limit=40", "--measures=natural")
    line = refused("evaluate.py", f"--model={made}", *options, code=2)
    assert line == (
        f"error: cannot write to {disk}: Read-only file system; --output=FILE.json writes "
        "elsewhere."
    )
    line = refused("train.py", *RUN, f"--output_dir={disk}", code=2)
    assert line == f"error: cannot write to {disk}: Read-only file system."
    finished("evaluate.py", f"--model={made}", *options, f"--output={model.with_suffix('.json')}")
    assert not list(disk.glob("*.json"))
