"""One process at a time works in a folder; what a killed one held is free."""

import os
import subprocess
import sys

import pytest

from spatial_keras.support import locks

HOLDS = """
import pathlib, sys, time
from spatial_keras.support import locks
lock = locks.Lock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_process_does_not_leave_a_lock_locked(tmp_path):
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(locks.BusyError, match=f"process {process.pid} on .* is at work on"):
            locks.Lock(path)
        process.kill()
    lock = locks.Lock(path)
    with pytest.raises(locks.BusyError):
        locks.Lock(path)
    with pytest.raises(locks.BusyError, match=f"process {os.getpid()} on"):
        locks.Lock(path)
    lock.release()
    lock.release()
    assert not path.exists()


def test_a_lock_does_not_write_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError):
        locks.Lock(tmp_path / ".lock")
    assert (tmp_path / "precious").read_text() == "precious"
