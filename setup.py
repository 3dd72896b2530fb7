"""Package metadata; the dependencies are written in requirements/, each pin once.

Python < 3.12 gets the paper's stack (TensorFlow 2.15, Keras 2.15, TensorFlow Addons), newer
Pythons the current one (TensorFlow 2.21, Keras 3), for which there is no Addons.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name, marker=None):
    """Returns the lines of requirements/<name>.txt, each under the environment marker if given."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    return [f"{line}; {marker}" if marker else line for line in wanted]


def version():
    """Returns the version, which is written in the package."""
    text = (ROOT / "spatial_keras" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


setup(
    name="spatial_keras",
    version=version(),
    description="Training that withstands worst-case rotations and translations, in Keras",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The authors of spatial_keras",
    url="https://arxiv.org/abs/1906.11235",
    project_urls={"Paper": "https://arxiv.org/abs/1906.11235"},
    license="Apache-2.0",
    keywords="keras tensorflow robustness invariance rotation translation adversarial",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    entry_points={"console_scripts": ["spatial-keras = spatial_keras.commands:main"]},
    packages=[*find_packages(include=["spatial_keras", "spatial_keras.*"]), "spatial_keras.flags"],
    # The flagfiles lie beside the package in a clone and within it when installed.
    package_dir={"spatial_keras.flags": "flags"},
    include_package_data=True,
    python_requires=">=3.9,<3.14",
    install_requires=[
        *requirements("common"),
        *requirements("paper", 'python_version < "3.12"'),
        *requirements("current", 'python_version >= "3.12"'),
    ],
    extras_require={"dev": requirements("dev")},
)
