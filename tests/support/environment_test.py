"""oneDNN is on unless the user said otherwise, and commands do without TensorFlow's messages."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
import tensorflow as tf

from spatial_keras.support import environment
from tests import script_calls

NAMES = (environment.ONEDNN, environment.LOG_LEVEL)
ON = "from tensorflow.python.util import _pywrap_util_port; print(_pywrap_util_port.IsMklEnabled())"


@pytest.fixture
def unset(monkeypatch):
    """Takes both variables away, until the test ends."""
    for name in (environment.ONEDNN, environment.LOG_LEVEL):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs Python where neither variable is set, but for those given."""
    ours = {environment.ONEDNN, environment.LOG_LEVEL}
    inherited = {name: text for name, text in script_calls.ENVIRONMENT.items() if name not in ours}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=True,
        text=True,
        env={**inherited, **variables},
    )


def test_the_package_first():
    script = f"import os, spatial_keras; {ON}; print(*map(os.environ.get, {NAMES}))"
    found = python("-c", script)
    assert found.stdout.split() == ["True", "1", "None"]
    assert "Warning: oneDNN" not in found.stderr


def test_tensorflow_first_and_without_onednn():
    # One process for both: where the user switched it off, and where the processor did.
    script = (
        f"import os, sys, tensorflow; {ON}\n"
        "import spatial_keras; print('imported', file=sys.stderr)\n"
        f"del os.environ['{environment.ONEDNN}']\n"
        "from spatial_keras.support import environment; environment.prepare()"
    )
    found = python("-c", script, **{environment.ONEDNN: "0", environment.LOG_LEVEL: "3"})
    assert found.stdout.split() == ["False"]
    before, after = found.stderr.split("imported\n")
    assert "oneDNN is off" not in before
    (line,) = after.splitlines()
    assert "import spatial_keras before tensorflow, or set TF_ENABLE_ONEDNN_OPTS=1" in line


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_what_the_user_set_stays(unset, monkeypatch, value):
    monkeypatch.setenv(environment.ONEDNN, value)
    monkeypatch.setattr(environment, "_onednn_would_help", pytest.fail)
    monkeypatch.delitem(sys.modules, "tensorflow")
    environment.prepare()
    assert os.environ[environment.ONEDNN] == value


@pytest.mark.parametrize("would_help", [False, True])
def test_it_warns_only_where_it_would_help(unset, monkeypatch, would_help):
    monkeypatch.setattr(environment, "_onednn_would_help", lambda: would_help)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        environment.prepare()
    assert len(said) == would_help and environment.ONEDNN not in os.environ


def test_it_would_not_help_on_a_gpu(monkeypatch):
    from tensorflow.python.util import _pywrap_util_port

    monkeypatch.setattr(_pywrap_util_port, "IsMklEnabled", lambda: False)
    assert environment._onednn_would_help() == (sys.platform != "darwin")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert not environment._onednn_would_help()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["-m"], True),
        (["/usr/bin/spatial-keras", "train"], True),
        ([str(script_calls.ROOT / "scripts" / "train.py")], True),
        (["/elsewhere/train.py"], False),
        (["pytest"], False),
        (["-c"], False),
        ([""], False),
        ([], False),
    ],
)
def test_what_a_command_is(monkeypatch, argv, expected):
    monkeypatch.setattr(sys, "argv", argv)
    assert environment.is_command() == expected


def test_a_command_imports_tensorflow_without_its_log():
    script = (
        "import os, sys; from spatial_keras.support import environment\n"
        "with environment.quiet_tensorflow():\n"
        "    import tensorflow as tf\n"
        "    os.write(2, b'native')\n"
        "    sys.stderr.write('python, ')\n"
        "os.write(2, b'after')\n"
        "tf.constant(1.0)"
    )
    program = "import sys; sys.argv[0] = 'spatial-keras'; " + script
    found = python("-W", "ignore", "-c", program)
    assert found.stderr == "python, after"
    wanted = python("-W", "ignore", "-c", program, **{environment.LOG_LEVEL: "0"})
    assert "native" in wanted.stderr
