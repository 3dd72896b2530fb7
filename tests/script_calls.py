"""Calls the scripts as a user does, in a process of their own, or as that would in this one."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys

from spatial_keras import commands

ROOT = pathlib.Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(script, *arguments):
    """Returns the command line of a script, such as "train.py"."""
    return [sys.executable, str(ROOT / "scripts" / script), *arguments]


def start(command_line, **environment):
    """Returns the process of a command line, which continues meanwhile."""
    environment = {**ENVIRONMENT, **environment}
    return subprocess.Popen(command_line, env=environment, stderr=subprocess.DEVNULL)


def finish(command_line, **environment):
    """Runs a command line to its end; returns its exit code and what it wrote."""
    environment = {**ENVIRONMENT, **environment}
    return subprocess.run(command_line, capture_output=True, text=True, env=environment)


def run(script, *arguments, **environment):
    """Runs a script to its end, likewise."""
    return finish(command(script, *arguments), **environment)


def call(command_line):
    """Runs a script to its end, likewise but in this process: without three seconds of imports."""
    _, script, *arguments = command_line
    output, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            commands.main([pathlib.Path(script).stem, *arguments])
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(command_line, code, output.getvalue(), errors.getvalue())


def mistake(found):
    """Returns the one line with which a script ended, as it must after a user's mistake."""
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    return line
