"""Pages about constructed runs, read back and compared with the numbers that went in."""

import io
import pathlib
import re
import shlex
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest

from spatial_keras import figures
from spatial_keras.configuration import command_line
from spatial_keras.reporting import report, subject
from spatial_keras.results.run_results import Timing
from tests import html_pages, small
from tests.made_results import VERSIONS, results, write

PNG = figures.to_png(figures.rotations(np.zeros([2, 4, 4, 1]), [0, 5], "a", ["a", "b"]))
SVG = "{http://www.w3.org/2000/svg}svg"


def add(folder, defense="std", seed=0, accuracies=(0.9, 0.8, 0.7), seconds=0.1, **options):
    natural, random, grid = accuracies
    timing = Timing(
        seconds_per_step=seconds, seconds_per_search=None if seconds is None else seconds / 4
    )
    write(folder, results(defense, seed, grid, natural, random, timing=timing, **options))


def prepared(*arguments):
    return report.prepare(command_line.parse(report.ReportConfig, [*map(str, arguments)]))


def written(folder, *arguments, say=lambda line: None):
    file = prepared(f"--runs={folder}", *arguments).write(say)
    return html_pages.read(file.read_text(encoding="utf-8"))


def section(page, heading):
    (found,) = [one for one in page.iter("section") if html_pages.words(one[0]) == heading]
    return found


def captions(page):
    return [html_pages.words(node) for node in page.iter("figcaption")]


def notes(page):
    return [html_pages.words(node) for node in page.iterfind(".//section/p")]


def test_the_table_is_that_of_the_results(tmp_path):
    rng = np.random.default_rng(0)
    numbers = {
        ("std", None): rng.uniform(0, 0.3, [3, 4]),
        ("wo10_kl_nat", None): rng.uniform(0.5, 0.8, [4, 4]),
        ("wo10_kl_nat", "2.0"): rng.uniform(0.8, 1, [2, 4]),
    }
    for (defense, weight), runs in numbers.items():
        options = {"lambda": weight} if weight else {}
        for seed, (*accuracies, seconds) in enumerate(runs):
            name = f"{defense}_{weight}_{seed}"
            add(tmp_path / name, defense, seed, accuracies, seconds, **options)
    page = written(tmp_path)
    table = section(page, "Results").find("div/table")
    header, *rows = html_pages.cells(table)
    assert header == [
        "defense", "natural, %", "random, %", "grid, %", "seconds per step", "runs",
    ]  # fmt: skip
    assert [row[0] for row in rows] == ["KL nat Wo-10 λ=2", "KL nat Wo-10", "std"]
    for row, runs in zip(rows, reversed(numbers.values())):
        assert row[5] == str(len(runs))
        found = np.array([[float(part) for part in cell.split(" ± ")] for cell in row[1:5]])
        errors = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
        expected = np.stack([runs.mean(axis=0), errors], axis=1)
        np.testing.assert_allclose(found[:3], 100 * expected[:3], atol=0.0051)
        np.testing.assert_allclose(found[3], expected[3], atol=0.000051)
    (bold,) = table.iter("strong")
    assert html_pages.words(bold) == rows[0][3]
    assert html_pages.words(page.find("head/title")) == "Defenses on digits: resnet8"
    assert re.search(r"Runs: 9 finished, 0 not\. Page made on 20\d\d-", html_pages.words(page))


def test_equally_good_ones_are_all_bold(tmp_path):
    for name, grids in (("std", [0.1]), ("wo1_at", [0.7, 0.9]), ("wo1_kl", [0.8, 0.8])):
        for seed, grid in enumerate(grids):
            add(tmp_path / f"{name}{seed}", name, seed, (0.9, 0.9, grid))
    bold = section(written(tmp_path), "Results").findall("div/table//strong")
    assert [html_pages.words(one).split()[0] for one in bold] == ["80.00", "80.00"]


def test_what_all_runs_have_in_common_is_below_the_table(tmp_path):
    add(tmp_path / "a", "std")
    add(tmp_path / "b", "wo10_kl", width="0.5")
    codes = [code.text for code in written(tmp_path).iterfind(".//section/p/code")]
    assert {"--dataset=digits", "--model=resnet8", "--steps=800", "--seed=0"} < {*codes}
    versions = [f"{name}={version}" for name, version in VERSIONS.items()]
    assert codes[-4:] == ["360 test images", *versions]
    assert not [code for code in codes if code.startswith(("--width", "--defense"))]


def test_a_run_is_told_in_full(tmp_path):
    add(tmp_path / "deep" / "run", "wo10_kl", 3, (0.9725, 0.9, 0.0512), 0.2, **{"lambda": "2.0"})
    (tmp_path / "deep" / "run" / "examples.png").write_bytes(PNG)
    add(tmp_path / "other", "std", seconds=None)
    page = written(tmp_path)
    first, second = page.iter("details")
    assert first.get("open") is None
    assert html_pages.words(first.find("summary")) == (
        "deep/run: natural 97.25%, random 90.00%, grid 5.12%"
    )
    assert dict(html_pages.cells(first)) == {
        "natural": "97.25%", "random": "90.00%", "grid": "5.12%", "evaluated on": "360 test images",
        "training steps": "800", "seconds per step": "0.2000", "of them in the search": "0.0500",
        "of them beyond it": "-", **VERSIONS,
    }  # fmt: skip
    python, script, *arguments = shlex.split(html_pages.words(first.find("pre")))
    assert (python, script) == ("spatial-keras", "train")
    run = small.parsed(*arguments)
    assert (run.defense, run.seed, run.lambda_) == ("wo10_kl", 3, 2)
    assert (run.width, run.steps) == (0.25, 800)
    (image,) = first.iter("img")
    shown = matplotlib.image.imread(io.BytesIO(html_pages.content(image, "png")))
    np.testing.assert_array_equal(shown, matplotlib.image.imread(io.BytesIO(PNG)))
    assert second.find(".//img") is None
    assert dict(html_pages.cells(second))["seconds per step"] == "-"


def test_figures_are_pictures_within_the_page(tmp_path):
    for k, weight in ((1, "8.0"), (10, "8.0"), (10, "2.0")):
        add(tmp_path / f"{k}{weight}", f"wo{k}_kl", seconds=k / 10, **{"lambda": weight})
    lines = []
    page = written(tmp_path, say=lines.append)
    images = section(page, "Results").findall("div/figure//img")
    assert len(images) == 2 and all(image.get("alt") for image in images)
    for image in images:
        assert ElementTree.fromstring(html_pages.content(image, "svg+xml")).tag == SVG
    first, second = captions(page)
    assert first.startswith("Grid accuracy against") and second.startswith("Grid accuracy, above")
    assert lines == ["left out: rotations, failures: no run has its classifier.keras."]
    assert notes(page)[1:] == [line.capitalize() for line in lines]


def test_a_page_needs_nothing_but_itself(tmp_path):
    add(tmp_path / "a")
    (tmp_path / "a" / "examples.png").write_bytes(PNG)
    page = written(tmp_path)
    sources = [
        value
        for node in page.iter()
        for name, value in node.attrib.items()
        if name in ("src", "href", "srcset", "data", "action", "poster", "style")
    ]
    assert len(sources) == 2 and all(source.startswith("data:image/") for source in sources)
    assert not {node.tag for node in page.iter()} & {"script", "link", "iframe", "object", "base"}
    assert page.get("lang") == "en"


def test_hostile_names_stay_texts(tmp_path):
    hostile = '"><img src=x onerror=alert(1)><script>'
    add(tmp_path / hostile, optimizer=hostile, dataset=hostile)
    (tmp_path / f"{hostile}2").mkdir()
    (tmp_path / f"{hostile}2" / "run.flags").write_text("")
    page = written(tmp_path)
    assert not list(page.iter("script"))
    assert not [node for node in page.iter() if "onerror" in node.attrib]
    assert page.findtext("head/title") == f"Defenses on {hostile}: resnet8"
    assert page.findtext(".//summary/code") == hostile
    assert page.findtext(".//li/code") == f"{hostile}2"
    assert f"--optimizer={hostile}" in shlex.split(html_pages.words(page.find(".//pre")))


def test_unfinished_runs_are_named(tmp_path):
    add(tmp_path / "done")
    for name in ("killed", "deep/diverged"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.flags").write_text("--seed=0\n")
    page = written(tmp_path)
    names = [html_pages.words(one) for one in section(page, "Not finished").iter("li")]
    assert sorted(names) == ["deep/diverged", "killed"]
    assert "Runs: 1 finished, 2 not." in html_pages.words(page)
    assert len(list(page.iter("details"))) == 1


def test_damaged_runs_are_named(tmp_path):
    for name in ("good", "cut", "odd"):
        add(tmp_path / name)
    (tmp_path / "cut" / "results.json").write_text("{")
    (tmp_path / "odd" / "examples.png").symlink_to("/etc/passwd")
    (tmp_path / "odd" / "run.flags").write_bytes(b"\xff")
    lines = []
    page = written(tmp_path, "--nobest_run", say=lines.append)
    assert lines[0].startswith(f"left out: the results in {tmp_path / 'cut'} cannot be read")
    (item,) = section(page, "Damaged").iter("li")
    assert html_pages.words(item) == lines[0].removeprefix("left out: ")
    summaries = [html_pages.words(one.find("summary/code")) for one in page.iter("details")]
    assert summaries == ["good", "odd"]
    assert not [image for one in page.iter("details") for image in one.iter("img")]


def test_a_folder_that_is_a_run_itself(tmp_path, monkeypatch):
    add(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    page = written(pathlib.Path("."))
    assert page.findtext(".//summary/code") == "run"
    assert (tmp_path / "run" / "report.html").exists()


def test_runs_that_cannot_be_compared_get_a_table_each(tmp_path):
    add(tmp_path / "a", "std", accuracies=(0.9, 0.8, 0.1))
    add(tmp_path / "b", "wo10_kl", accuracies=(0.9, 0.8, 0.2), steps="400")
    add(tmp_path / "c", "wo10_kl", accuracies=(0.9, 0.8, 0.3))
    lines = []
    page = written(tmp_path, say=lines.append)
    headings = [html_pages.words(one[0]) for one in page.iter("section")]
    assert headings == ["--steps=800", "--steps=400"]
    first, second = (html_pages.cells(one.find("div/table")) for one in page.iter("section"))
    assert [row[3] for row in first[1:]] == ["30.00", "10.00"]
    assert [row[3] for row in second[1:]] == ["20.00"]
    summaries = [[words.text for words in one.iter("summary")] for one in page.iter("section")]
    assert [len(one) for one in summaries] == [2, 1]
    assert len(lines) == 4


@pytest.fixture(name="loaded")
def catch_loaded(monkeypatch):
    """The runs whose classifiers are asked for."""
    found = []

    def load(folder, data_dir):
        found.append((str(folder), data_dir))
        right = np.ones([4, 31], bool)
        right[2, 25:] = False
        return subject.Subject(
            lambda x, training: np.eye(3)[[0] * len(x)], np.zeros([4, 9, 9, 1], np.uint8),
            np.array([0, 1, 2, 0]), ("a", "b", "c"), np.linspace(-30, 30, 31), right,
        )  # fmt: skip

    monkeypatch.setattr(subject, "load", load)
    return found


def test_the_best_classifier_at_hand_is_drawn(tmp_path, loaded):
    for name, grid in (("a", 0.3), ("b", 0.5), ("c", 0.4), ("best", 0.6)):
        add(tmp_path / name, accuracies=(0.9, 0.8, grid))
        if name != "best":
            (tmp_path / name / "classifier.keras").write_bytes(b"")
    lines = []
    page = written(tmp_path, f"--data_dir={tmp_path}", say=lines.append)
    assert loaded == [(str(tmp_path / "b"), str(tmp_path))]
    assert "predictions of b," in captions(page)[1] and "at which b is wrong" in captions(page)[2]
    assert [line.split(": ")[1] for line in lines] == ["lambda"]
    for image in page.findall(".//figure//img"):
        assert ElementTree.fromstring(html_pages.content(image, "svg+xml")).tag == SVG


def test_no_classifier_is_loaded_that_is_not_asked_for(tmp_path, loaded):
    add(tmp_path / "a")
    (tmp_path / "a" / "classifier.keras").write_bytes(b"")
    lines = []
    page = written(tmp_path, "--nobest_run", say=lines.append)
    assert not loaded and len(captions(page)) == 1
    assert [line.split(": ")[1] for line in lines] == ["lambda"]


def test_a_classifier_that_cannot_be_loaded_is_left_out(tmp_path):
    add(tmp_path / "a")
    (tmp_path / "a" / "run.flags").write_text(command_line.flagfile(small.parsed()))
    (tmp_path / "a" / "classifier.keras").write_bytes(b"no model")
    lines = []
    page = written(tmp_path, say=lines.append)
    assert [line.split(": ")[1] for line in lines] == ["lambda", "rotations", "failures"]
    assert "classifier.keras' cannot be read" in lines[1] and "\n" not in lines[1]
    assert len(notes(page)) == 4
    (tmp_path / "a" / "run.flags").write_text("--no_such_flag=1\n")
    written(tmp_path, say=lines.append)
    assert "no_such_flag" in lines[-1]


def test_the_page_is_written_where_it_is_wanted(tmp_path):
    add(tmp_path / "a")
    file = tmp_path / "new" / "page.html"
    assert prepared(f"--runs={tmp_path}", f"--output={file}").write(str) == file
    assert {one.name for one in file.parent.iterdir()} == {"page.html", "page.csv"}
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("content", [None, "{"])
def test_without_finished_runs_there_is_no_page(tmp_path, content):
    write(tmp_path / "a", content)
    with pytest.raises(ValueError, match="there is no finished run in"):
        prepared(f"--runs={tmp_path}")


def test_no_folder_is_refused():
    with pytest.raises(ValueError, match="--runs: there is no folder '/none'"):
        prepared("--runs=/none")
