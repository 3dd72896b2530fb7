"""The page of an evaluation, or of two, read back and compared with what evaluate wrote."""

import io
import json
import shutil
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest

from spatial_keras.configuration import command_line
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.experiments import evaluate
from spatial_keras.reporting import evaluated
from tests import html_pages, small

FLAGS = tuple(
    "--dataset=digits --image_size=8 --limit=30 --measures=natural,grid,profile --xla=off "
    "--grid_counts=3,3,3 --max_translation=1".split()
)


@pytest.fixture(name="folder", scope="module")
def make_folder(tmp_path_factory):
    """Evaluations of two networks of one layer, the first by the means of the classes."""
    folder = tmp_path_factory.mktemp("evaluated")
    digits = evaluate.data.get("digits", image_size=8)
    network = small.network(8, 10)
    shutil.copy(small.MODEL, folder / "b.keras")
    logits = network.layers[-1]
    means = np.stack([digits.train_images[digits.train_labels == i].mean(0) for i in range(10)])
    logits.set_weights([means.reshape(10, -1).T / 100, -(means.reshape(10, -1) ** 2).sum(1) / 51e3])
    network.save(folder / "a.keras")
    for name in "ab":
        flags = (*FLAGS, f"--model={folder / name}.keras", f"--output={folder / name}.json")
        evaluate.prepare(command_line.parse(EvaluateConfig, flags)).run()
    return folder


def written(*names, lines=None):
    flags = [f"--evaluations={','.join(map(str, names))}"]
    page = evaluated.prepare(command_line.parse(ReportConfig, flags))
    file = page.write(lambda line: lines.append(line))
    return file, html_pages.read(file.read_text(encoding="utf-8"))


def tables(page):
    return {
        html_pages.words(one.find("h3")): html_pages.cells(one.find(".//table"))
        for one in page.iterfind(".//div[@class='tables']/div")
    }


def test_the_page_says_what_the_evaluation_found(folder):
    file, page = written(folder / "a.json", lines=[])
    assert file == folder / "a.html"
    found = json.loads((folder / "a.json").read_text())
    assert html_pages.words(page.find(".//p[@class='first']")) == found["verdict"]
    assert str(folder / "a.keras") in html_pages.words(page.find(".//h1"))
    accuracy, classes = tables(page).values()
    grid = found["measures"]["grid"]
    assert accuracy[2] == [
        "grid",
        f"{100 * grid['accuracy']:.1f}",
        f"{100 * grid['low']:.1f} to {100 * grid['high']:.1f}",
    ]
    assert {row[0]: int(row[1]) for row in classes[1:]} == {
        name: row["images"] for name, row in found["per_class"].items()
    }
    data = json.loads(page.find(".//script[@class='data']").text)
    assert len(data["images"]) == 12
    numbers = {image["number"]: image["label"] for image in data["images"]}
    assert len(set(numbers.values())) == 10  # of all classes
    digits = evaluate.data.get("digits", image_size=8)
    assert all(digits.test_labels[number] == label for number, label in numbers.items())
    curves, broken = page.iterfind(".//figure//img")
    assert ElementTree.fromstring(html_pages.content(curves, "svg+xml")).tag.endswith("svg")
    assert np.ptp(matplotlib.image.imread(io.BytesIO(html_pages.content(broken, "png")))) > 0


def test_two_classifiers_stand_side_by_side(folder):
    _, page = written(folder / "a.json", folder / "b.json", lines=[])
    data = json.loads(page.find(".//script[@class='data']").text)
    assert [one["name"][:3] for one in data["classifiers"]] == ["A: ", "B: "]
    assert len(list(page.iterfind(".//div[@class='panel']"))) == 2
    accuracy, _, together = tables(page).values()
    assert accuracy[0] == ["accuracy", "A: %", "95% interval", "B: %", "95% interval"]
    right = []
    for name in "ab":
        rows = np.genfromtxt(folder / f"{name}.csv", delimiter=",", names=True)
        right.append(rows["natural_right"][np.argsort(rows["image"])] == 1)
    only_a, only_b = np.sum(right[0] & ~right[1]), np.sum(right[1] & ~right[0])
    assert together[1][2:4] == [str(only_a), str(only_b)]
    assert together[1][1].startswith(f"{100 * (right[1].mean() - right[0].mean()):+.1f} (")


def test_what_has_changed_since_is_left_out(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found = json.loads((tmp_path / "a.json").read_text())
    for name, what in (("fingerprint", "classifier"), ("pixels", "images")):
        (tmp_path / "a.json").write_text(json.dumps({**found, name: "0"}))
        lines = []
        _, page = written(tmp_path / "a.json", lines=lines)
        assert f"the {what} of '{tmp_path / 'a.json'}' changed since" in lines[0]
        assert not list(page.iter("script")) and len(tables(page)) == 2


def test_evaluations_of_other_images_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found = json.loads((tmp_path / "b.json").read_text())
    found["transformations"] = "rotations up to 15 degrees"
    (tmp_path / "b.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match="was made with other flags|is of rotations"):
        written(tmp_path / "a.json", tmp_path / "b.json")
