"""What pip installs is the whole package: it trains by a flagfile, without the clone."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

import spatial_keras

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = ("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py")
FOLDERS = ("flags", "requirements", "spatial_keras")
# PYTHONPATH would bring the clone back.
ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
PIP_OPTIONS = ("--no-deps", "--no-index", "--quiet")

pytestmark = pytest.mark.slow


def call(*command: object, **options) -> str:
    """Runs a command outside of the clone; returns what it wrote."""
    command = [str(part) for part in command]
    found = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, **options)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> pathlib.Path:
    """A wheel built as a package index's would be, from an sdist, with what this Python has."""
    folder = tmp_path_factory.mktemp("build")
    clone = folder / "clone"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, clone / name)
    for name in SOURCES:
        shutil.copy(ROOT / name, clone)
    sdist = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    call(sys.executable, "-c", sdist, cwd=clone)
    (archive,) = folder.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-build-isolation", *PIP_OPTIONS)
    call(*pip, f"--wheel-dir={folder}", archive, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel) -> pathlib.Path:
    """The Python of an empty environment with the wheel, which sees this one's packages."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    found = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", f"--python={found}", "install", *PIP_OPTIONS, wheel)
    site = call(found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # A line of a .pth is a path; .pth files within it, such as an editable install's, do not count.
    (pathlib.Path(site) / "outer.pth").write_text(sysconfig.get_path("purelib"))
    return found


def test_the_wheel_holds_the_package_the_flagfiles_and_what_both_stacks_require(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [archive.read(name) for name in names if name.endswith("METADATA")]
    packed = {name for name in names if ".dist-info/" not in name}
    files = [file for file in ROOT.glob("spatial_keras/**/*") if file.is_file()]
    wanted = {file.relative_to(ROOT).as_posix() for file in files if file.suffix != ".pyc"}
    flagfiles = ROOT.glob("flags/**/*.flags")
    wanted |= {f"spatial_keras/{file.relative_to(ROOT).as_posix()}" for file in flagfiles}
    assert packed == wanted
    assert wheel.name == f"spatial_keras-{spatial_keras.__version__}-py3-none-any.whl"
    assert "spatial_keras/py.typed" in packed
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert readme in metadata.decode() and "\nAuthor: The authors of" in metadata.decode()
    required = [line for line in metadata.decode().splitlines() if "Dist: tensorflow=" in line]
    assert [line for line in required if "==2.15" in line and '< "3.12"' in line]
    assert [line for line in required if "==2.21" in line and '>= "3.12"' in line]


def test_help_and_three_steps_by_a_flagfile(python, tmp_path):
    spec = "import importlib.util as u; print(u.find_spec('spatial_keras').origin)"
    assert call(python, "-c", spec, cwd=tmp_path).startswith(str(python.parents[1]))

    script = python.with_name("spatial-keras")
    assert call(script, "--version", cwd=tmp_path) == f"spatial_keras {spatial_keras.__version__}\n"
    command = (script, "train")
    text = call(*command, "--help", cwd=tmp_path)
    assert "spatial-keras train --dataset" in text and "--flagfile=FILE" in text

    flags = ("--flagfile=flags/digits/wo10_kl.flags", "--steps=3", "--output_dir=run")
    small = ("--width=0.125", "--image_size=8", "--batch_size=16", "--xla=off", "--test_images=20")
    call(*command, *flags, *small, cwd=tmp_path)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["flags"]["defense"] == "wo10_kl" and results["flags"]["steps"] == "3"
    assert (tmp_path / "run" / "classifier.keras").exists()
