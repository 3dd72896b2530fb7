"""Figures from synthetic run folders: their data, what is left out and why, what is refused."""

import numpy as np
import pytest

from spatial_keras import figures
from spatial_keras.configuration import command_line
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.reporting import along, plot, subject
from spatial_keras.results import folders, runs_csv
from spatial_keras.results.run_results import Timing
from tests.made_results import results, write


def add(folder, defense, seed=0, grid=0.8, seconds=0.1, **options):
    found = results(defense, seed, grid, timing=Timing(seconds_per_step=seconds), **options)
    write(folder / f"{defense}_{seed}_{options.get('lambda')}_{options.get('steps')}", found)


def prepared(*arguments):
    return plot.prepare(command_line.parse(plot.PlotConfig, arguments))


@pytest.fixture(name="saved")
def catch_saved(monkeypatch):
    """The figures by name, as they would be written."""
    found = {}

    def save(figure, folder, name):
        found[name] = figure
        return [folder / f"{name}.png", folder / f"{name}.svg"]

    monkeypatch.setattr(figures, "save", save)
    return found


@pytest.fixture(name="subject")
def make_subject(monkeypatch):
    """A classifier that takes the brightest of three corners for the class."""
    images = np.zeros([4, 9, 9, 1], np.uint8)
    for image, (row, column) in zip(images, ((1, 1), (1, 7), (7, 1), (1, 1))):
        image[row, column] = 255
    right = np.ones([4, 31], bool)
    right[2, 25:] = False
    degrees = np.linspace(-30, 30, 31, dtype=np.float32)
    made = subject.Subject(
        lambda x, training: np.stack([x[:, 1, 1, 0], x[:, 1, 7, 0], x[:, 7, 1, 0]], axis=1),
        images, np.array([0, 1, 2, 0]), ("a", "b", "c"), degrees, right,
    )  # fmt: skip
    monkeypatch.setattr(subject, "load", lambda folder, data_dir: made)
    return made


@pytest.mark.parametrize("figures_", ["--all", "--figures=cost"])
def test_a_damaged_run_is_left_out_and_named(tmp_path, saved, figures_):
    add(tmp_path, "wo10_kl")
    add(tmp_path, "std")
    (tmp_path / "std_0_None_None" / "results.json").write_text("[]")
    (tmp_path / "std_0_None_None" / "run.flags").write_bytes(b"\xff")
    lines = []
    run = [f"--run={tmp_path / 'std_0_None_None'}"] if figures_ == "--all" else []
    prepared(figures_, f"--runs={tmp_path}", *run).draw(lines.append)
    damaged = tmp_path / "std_0_None_None"
    assert lines[0].startswith(f"left out: the results in {damaged} cannot be read: ")
    assert {text.get_text() for text in saved["cost"].axes[0].texts} - {""} == {"KL Wo-10"}
    if figures_ == "--all":
        assert "left out: rotations: " in lines[1] and "run.flags cannot be read" in lines[1]


def test_cost_from_folders(tmp_path, saved):
    for seed, (grid, seconds) in enumerate([(0.7, 0.1), (0.8, 0.14)]):
        add(tmp_path, "wo10_kl", seed, grid, seconds)
    add(tmp_path, "wo1_kl", 0, 0.5, 0.04)
    add(tmp_path, "std", 0, 0.1, 0.03)
    add(tmp_path, "std_star", 0, 0.2, None)  # not timed
    files = prepared("--figures=cost", f"--runs={tmp_path}", "--output_dir=x").draw(pytest.fail)
    assert [str(file) for file in files] == ["x/cost.png", "x/cost.svg"]
    axis = saved["cost"].axes[0]
    line, alone = (np.transpose(one.lines[0].get_data()) for one in axis.containers)
    np.testing.assert_allclose(line, [[0.04, 50], [0.12, 75]])
    np.testing.assert_allclose(alone, [[0.03, 10]])
    assert {text.get_text() for text in axis.texts} - {""} == {"std", "KL Wo-1", "KL Wo-10"}
    horizontal, vertical = (bar.get_segments()[1] for bar in axis.containers[0].lines[2])
    np.testing.assert_allclose(horizontal, [[0.1, 75], [0.14, 75]])
    np.testing.assert_allclose(vertical, [[0.12, 70], [0.12, 80]])


def test_of_several_weights_the_papers_is_in_cost(tmp_path, saved):
    for weight in ("1", "8", "32"):
        add(tmp_path, "wo10_kl", **{"lambda": weight})
        if weight != "8":
            add(tmp_path, "wo1_kl", **{"lambda": weight})
    prepared("--figures=cost", f"--runs={tmp_path}").draw(pytest.fail)
    texts = {text.get_text() for text in saved["cost"].axes[0].texts} - {""}
    assert texts == {"KL Wo-10", "KL Wo-1 λ=1", "KL Wo-1 λ=32"}


def test_lambda_from_folders(tmp_path, saved):
    for weight, grid in ((8, 0.9), (1, 0.7), (0, 0.2)):
        add(tmp_path, "wo10_kl_nat", grid=grid, **{"lambda": str(weight)})
    add(tmp_path, "wo10_alp", grid=0.8)
    add(tmp_path, "wo10_alp", grid=0.6, **{"lambda": "4.0"})
    add(tmp_path, "wo10_klc")  # one weight only
    add(tmp_path, "std")
    prepared("--figures=lambda", f"--runs={tmp_path}").draw(pytest.fail)
    upper = saved["lambda"].axes[0]
    texts = [text.get_text() for text in saved["lambda"].legends[0].get_texts()]
    assert texts == ["ALP, rob", "KL, nat"]
    drawn = [np.transpose(one.lines[0].get_data()) for one in upper.containers]
    np.testing.assert_allclose(drawn[0], [[1, 80], [4, 60]])
    np.testing.assert_allclose(drawn[1], [[0, 20], [1, 70], [8, 90]])


def test_lambda_names_the_searches_if_there_are_several(tmp_path, saved):
    for defense in ("wo10_kl", "pgd5_kl"):
        for weight in ("1.0", "2.0"):
            add(tmp_path, defense, **{"lambda": weight})
    prepared("--figures=lambda", f"--runs={tmp_path}").draw(pytest.fail)
    texts = {text.get_text() for text in saved["lambda"].legends[0].get_texts()}
    assert texts == {"KL, rob, Wo-10", "KL, rob, S-PGD-5"}


def test_sample_efficiency_from_a_csv_file_of_runs(tmp_path, saved):
    for number, grid in ((500, 0.3), (1000, 0.4)):
        for seed in range(2):
            folder = tmp_path / str(number)
            add(folder, "wo10_at", seed, grid + 0.1 * seed, train_images=number)
    file = tmp_path / "runs.csv"
    file.write_text(runs_csv.to_csv(folders.find(tmp_path).finished.values()))
    for runs in (tmp_path, file):
        prepared("--figures=sample_efficiency", f"--runs={runs}").draw(pytest.fail)
        line, *_, bars = saved.pop("sample_efficiency").axes[0].containers[0]
        np.testing.assert_allclose(line.get_xydata(), [[500, 35], [1000, 45]])
        np.testing.assert_allclose(bars[0].get_segments()[0][:, 1], [30, 40])


def test_training_cost(tmp_path, saved):
    add(tmp_path, "wo10_kl", 0, 0.8)
    add(tmp_path, "wo10_kl", 0, 0.7, steps="400")
    prepared("--figures=training_cost", f"--runs={tmp_path}").draw(pytest.fail)
    (line,) = saved["training_cost"].axes[0].containers
    np.testing.assert_allclose(line.lines[0].get_xydata(), [[0.4 * 17, 70], [0.8 * 17, 80]])


def test_rotations_show_the_first_image_that_breaks(tmp_path, saved, subject):
    prepared("--figures=rotations", f"--run={tmp_path}").draw(pytest.fail)
    axes = saved["rotations"].axes
    titles = [axis.get_title() for axis in axes]
    assert titles == ["-30°", "-20°", "-10°", "0°", "+10°", "+20°", "+30°"]
    assert saved["rotations"].get_suptitle().startswith("Class c")
    np.testing.assert_array_equal(axes[3].images[0].get_array(), subject.images[2][..., 0])
    assert axes[3].get_xlabel() == "c ✓"


def test_an_image_can_be_chosen(tmp_path, saved, subject):
    prepared("--figures=rotations", f"--run={tmp_path}", "--image=1").draw(pytest.fail)
    np.testing.assert_array_equal(
        saved["rotations"].axes[3].images[0].get_array(), subject.images[1][..., 0]
    )
    with pytest.raises(plot.ImpossibleError, match="--image must be at most 3, got 4"):
        prepared("--figures=rotations", f"--run={tmp_path}", "--image=4").draw(pytest.fail)


def test_failures_are_the_map_of_the_run(tmp_path, saved, subject):
    prepared("--figures=failures", f"--run={tmp_path}").draw(pytest.fail)
    shown = saved["failures"].axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, ~subject.right[[0, 1, 3, 2]])


def test_failures_go_along_the_axes_that_are_asked_for(tmp_path, saved, monkeypatch):
    axes = TransformationSet(max_tx=2, max_zoom=1.2).axes
    right = np.arange(24).reshape(4, 3, 2) % 5 > 0
    found = along.Along([axes[3], axes[0]], [np.array([0.8, 1, 1.2]), np.array([-2.0, 2])], right)
    monkeypatch.setattr(along, "load", lambda folder, data_dir, names: found)
    prepared("--figures=failures", f"--run={tmp_path}", "--axes=zoom,tx").draw(pytest.fail)
    chart = saved["failures"].axes[0]
    np.testing.assert_array_equal(chart.collections[0].get_array(), 100 * right.mean(axis=0).T)
    assert (chart.get_xlabel(), chart.get_ylabel()) == ("zoom, factor", "tx, pixels")
    one = along.Along([axes[3]], [np.array([0.8, 1, 1.2])], right[:, :, 0])
    monkeypatch.setattr(along, "load", lambda folder, data_dir, names: one)
    prepared("--figures=failures", f"--run={tmp_path}", "--axes=zoom").draw(pytest.fail)
    assert saved["failures"].axes[0].get_xlabel() == "zoom, factor"


def test_the_theorem_needs_no_runs(saved):
    prepared("--figures=no_trade_off").draw(pytest.fail)
    *maps, last = saved["no_trade_off"].axes
    given_up = [len(axis.collections[3].get_offsets()) for axis in maps]
    assert given_up == [0, 8, 15]
    ends = [np.transpose(line.get_data())[[0, -1]] for line in last.lines]
    np.testing.assert_allclose(ends[0], np.full([2, 2], 20), atol=1e-4)
    assert all(first[0] > last[0] + 5 for first, last in ends[1:])


def test_all_leaves_out_what_cannot_be_drawn_and_says_why(tmp_path, saved):
    add(tmp_path, "std")
    lines = []
    prepared("--all", f"--runs={tmp_path}").draw(lines.append)
    assert list(saved) == ["cost", "no_trade_off"]
    assert lines == [
        "left out: rotations: needs --run=FOLDER of train.py.",
        "left out: lambda: needs runs of one defense with at least two --lambda values.",
        "left out: failures: needs --run=FOLDER of train.py.",
        "left out: sample_efficiency: needs runs of one defense with at least two --train_images "
        "values.",
        "left out: training_cost: needs runs of at least two recipes.",
    ]


@pytest.mark.parametrize(
    ("name", "runs", "message"),
    [
        ("cost", None, "needs --runs=FOLDER"),
        ("lambda", None, "needs --runs=FOLDER"),
        ("rotations", None, "needs --run=FOLDER"),
        ("cost", [], "no finished run"),
        ("cost", [("std", {"seconds": None})], "no run in --runs has the seconds"),
        ("cost", [("std", {}), ("wo10_kl", {"steps": "1"})], "differ in --steps: 1, 800"),
        ("lambda", [("wo10_kl", {}), ("wo10_alp", {})], "at least two --lambda"),
    ],
)
def test_a_figure_asked_for_that_cannot_be_drawn_is_refused(tmp_path, saved, name, runs, message):
    for defense, options in runs or ():
        add(tmp_path, defense, **options)
    arguments = [] if runs is None else [f"--runs={tmp_path}"]
    with pytest.raises(ValueError, match=f"^{name}: .*{message}") as error:
        prepared(f"--figures=no_trade_off,{name}", *arguments).draw(pytest.fail)
    assert "\n" not in str(error.value) and not saved


def test_a_folder_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="--runs: there is no folder '/none'"):
        prepared("--all", "--runs=/none")
