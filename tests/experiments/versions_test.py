"""The versions are those of the packages that are installed."""

import importlib.metadata
import platform

import tensorflow as tf

from spatial_keras.experiments import versions


def test_versions_are_those_installed():
    found = versions.found()
    assert found.pop("python") == platform.python_version()
    assert found.pop("machine") in (platform.processor(), platform.machine())
    assert found == {name: importlib.metadata.version(name) for name in ("tensorflow", "numpy")}


def test_gpus_are_named_in_the_place_of_the_cpu(monkeypatch):
    details = {"0": {"device_name": "A"}, "1": {"device_name": "A"}, "2": {}}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [*details])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.get)
    assert versions.found()["machine"] == "A, GPU"
