"""A command that is interrupted while it imports TensorFlow ends with one line."""

import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from spatial_keras.support import early_signals
from tests import script_calls

_BANNER = re.compile(r"WARNING: All log messages before absl|I0000 ")


def catches(process: subprocess.Popen, number: int) -> bool:
    """Returns whether a process has a handler for a signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) >> (number - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("later", [0, 1])
@pytest.mark.parametrize(
    ("number", "line", "command"),
    [
        (signal.SIGINT, "interrupted.", script_calls.command("plot.py", "--all")),
        (signal.SIGTERM, "terminated.", [sys.executable, "-m", "spatial_keras", "plot", "--all"]),
    ],
)
def test_a_signal_during_the_import_is_one_line(number, line, command, later, tmp_path):
    environment = script_calls.ENVIRONMENT
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        while not catches(process, signal.SIGTERM):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(later)
        process.send_signal(number)
        errors = process.stderr.read()
    # TensorFlow 2.21 prints a banner before it reads how much it is to say.
    said = [one for one in errors.splitlines() if not _BANNER.match(one)]
    assert (process.returncode, said) == (128 + number, [line])
    assert not list(tmp_path.iterdir())


def test_other_programs_keep_their_handlers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "pytest"], raising=False)
    for arguments in ([], ["pytest"], ["-m"], ["scripts/train.py"], [""]):
        monkeypatch.setattr(sys, "argv", arguments)
        assert not early_signals.is_command()
    monkeypatch.setattr(sys, "argv", [str(script_calls.ROOT / "scripts" / "train.py")])
    assert early_signals.is_command()
