"""No code of a folder of TensorFlow Datasets runs; the test looks whether it ran."""

import json
import os
import pathlib
import sys

import pytest
import tensorflow_datasets as tfds

from spatial_keras import data
from tests.data import tfds_test


@pytest.fixture(name="ran")
def make_hostile_module(tmp_path, monkeypatch):
    """A module that notes its import, where Python finds it."""
    ran = tmp_path / "ran"
    source = f"open({str(ran)!r}, 'w').close()\n"
    (tmp_path / "hostile_features.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield ran
    sys.modules.pop("hostile_features", None)


def hostile(content, form):
    """Returns the JSON of features with one of a hostile class, in a form that TFDS reads."""
    content = json.loads(content)
    features = content["featuresDict"]["features"]
    name = "hostile_features.Image"
    if form == "legacy":
        return {"type": name, "content": {}}
    if form == "inner":
        features["image"] = {"pythonClassName": name, "image": {}}
    if form == "snake":
        features["image"] = {"python_class_name": name, "image": {}}
    if form == "json":
        inner = json.dumps({"feature": {"type": name, "content": {}}})
        class_name = "tensorflow_datasets.core.features.sequence_feature.Sequence"
        features["image"] = {"pythonClassName": class_name, "jsonFeature": {"json": inner}}
    return content


@pytest.mark.parametrize("form", ["inner", "snake", "legacy", "json"])
def test_features_of_other_modules_are_refused(tmp_path, ran, form):
    builder = tfds_test.store(tmp_path, train=tfds_test.examples(3), test=tfds_test.examples(2))
    file = builder.data_path / "features.json"
    file.write_text(json.dumps(hostile(file.read_text(), form)))
    with pytest.raises(ValueError, match="features.json names hostile_features.Image") as error:
        data.get("tiny", tmp_path)
    assert "\n" not in str(error.value) and not ran.exists()
    if form in ("inner", "legacy"):  # as it would have
        with pytest.raises(Exception):  # noqa: B017 - it has no such class
            tfds.builder("tiny", data_dir=tmp_path)
        assert ran.exists()


def test_what_lies_behind_links_is_looked_at(tmp_path, ran):
    builder = tfds_test.store(tmp_path, train=tfds_test.examples(3), test=tfds_test.examples(2))
    file = builder.data_path / "features.json"
    file.write_text(json.dumps(hostile(file.read_text(), "inner")))
    folder = pathlib.Path(builder.data_path)
    folder.rename(tmp_path / ".hidden")
    folder.symlink_to("../.hidden")
    with pytest.raises(ValueError, match="features.json names hostile_features.Image"):
        data.get("tiny", tmp_path)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["label.labels.txt", "dataset_info.json"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_descriptions_that_are_no_regular_files_are_refused(tmp_path, name, kind):
    builder = tfds_test.store(tmp_path, train=tfds_test.examples(3), test=tfds_test.examples(2))
    file = pathlib.Path(builder.data_path, name)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere") if kind == "link" else os.mkfifo(file)
    with pytest.raises(ValueError, match=f"{name}' is (a link|not a regular file)"):
        data.get("tiny", tmp_path)


def test_the_usual_configuration_is_a_name(tmp_path):
    tfds_test.store(tmp_path, train=tfds_test.examples(3), test=tfds_test.examples(2))
    (tmp_path / "tiny" / ".config").mkdir()
    text = json.dumps({"default_config_name": "../../elsewhere"})
    (tmp_path / "tiny" / ".config" / "metadata.json").write_text(text)
    with pytest.raises(ValueError, match="names the configuration '../../elsewhere'"):
        data.get("tiny", tmp_path)
