"""Tables: their numbers, runs that finished, diverged or were killed, and a user's mistakes."""

import csv
import gc
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from spatial_keras.configuration import command_line
from spatial_keras.evaluation import judge
from spatial_keras.experiments import building, image_sets, run_folder, table, train
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.results.run_results import Accuracies, Results, Timing
from tests import small

RUN = tuple(flag for flag in small.RUN if not flag.startswith("--defense"))
ACCURACIES = np.random.default_rng(0).uniform(0.2, 0.9, [2, 3, 3])  # defense, seed, measure
DEFENSES = ("std", "wo2_kl")
TABLE = (*RUN, "--test_images=9", f"--defenses={','.join(DEFENSES)}")


def parsed(*arguments):
    return command_line.parse(table.TableConfig, arguments)


def prepared(folder, *arguments):
    return table.prepare(parsed(*TABLE, f"--output_dir={folder}", *arguments))


def results_of(config):
    """Results that are told from all others."""
    number = DEFENSES.index(config.defense)
    natural, random, grid = ACCURACIES[number, config.seed].tolist()
    return Results(
        config,
        Accuracies(natural, random, grid, 9),
        1437,
        timing=Timing(
            seconds_per_step=0.5 + config.seed,
            seconds_per_search=None if config.defense == "std" else 0.25,
        ),
        versions={"python": "3", "numpy": "1" if config.seed < 2 else "2"},
    )


@pytest.fixture(name="trained")
def record_trained(monkeypatch):
    """The runs that trained; they take no time, and those of `trained.diverge` diverge."""

    class Trained(list):
        diverge = ()

    trained = Trained()

    def run(self):
        one = (self.config.defense, self.config.seed)
        trained.append(one)
        self.folder.close()
        if one in trained.diverge:
            raise DivergedError("the loss is nan")
        self.folder.write_results(results_of(self.config))
        return results_of(self.config)

    monkeypatch.setattr(train.Experiment, "run", run)
    return trained


def rows(folder):
    return {row["defense"]: row for row in csv.DictReader((folder / "table.csv").open())}


def test_a_table_is_of_its_runs(tmp_path, trained):
    lines = []
    made = prepared(tmp_path).run("python table.py --a='b c'", lines.append)
    assert trained == [(defense, seed) for defense in DEFENSES for seed in range(3)]
    assert lines[3] == "run 4 of 6: wo2_kl, seed 0" and len(lines) == 6
    found = rows(tmp_path)
    assert list(found) == list(DEFENSES)
    for row, accuracies in zip(found.values(), 100 * ACCURACIES):
        for i, name in enumerate(("natural", "random", "grid")):
            expected = [accuracies[:, i].mean(), stats.sem(accuracies[:, i])]
            statistics = [float(row[f"{name}_{x}"]) for x in ("mean", "error")]
            np.testing.assert_allclose(statistics, expected, rtol=1e-5)
    assert found["wo2_kl"]["seconds_per_search_mean"] == "0.25"
    text = (tmp_path / "table.md").read_text()
    assert text == made.to_markdown()
    for said in (
        "digits", "small.keras, width 1", " 6 steps", "batch size 16", "9 test images",
        "seeds 0, 1, 2", "python 3, numpy 1 and python 3, numpy 2", "python table.py --a='b c'",
    ):  # fmt: skip
        assert said in text
    folders = {f"small_{defense}_seed{seed}" for defense, seed in trained}
    assert {file.name for file in tmp_path.iterdir()} == {*folders, "table.md", "table.csv"}


def test_finished_runs_are_not_repeated(tmp_path, trained, monkeypatch):
    prepared(tmp_path, "--defenses=wo2_kl", "--seeds=1").run("", str)
    del trained[:]
    lines = []
    prepared(tmp_path, "--seeds=2").run("", lines.append)
    assert trained == [("std", 0), ("std", 1), ("wo2_kl", 1)]
    assert lines[2] == "run 3 of 4: wo2_kl, seed 0, finished before"
    first = (tmp_path / "table.csv").read_text()
    del trained[:]
    monkeypatch.setattr(image_sets, "load", lambda config: pytest.fail("reads images"))
    prepared(tmp_path, "--seeds=2").run("", str)
    assert trained == [] and (tmp_path / "table.csv").read_text() == first


def test_a_run_that_diverges_does_not_stop_the_others(tmp_path, trained):
    trained.diverge = [("std", 1)]
    lines = []
    made = prepared(tmp_path, "--seeds=2").run("", lines.append)
    assert len(trained) == 4 and lines[2] == "diverged: the loss is nan"
    assert made.rows[0].diverged == [1] and not made.rows[1].diverged
    (row,) = (line for line in (tmp_path / "table.md").read_text().splitlines() if "| std " in line)
    assert row.endswith("| 1 (diverged: seed 1) |")
    natural = float(rows(tmp_path)["std"]["natural_mean"])
    np.testing.assert_allclose(natural, 100 * ACCURACIES[0, 0, 0], 1e-5)


def test_a_run_that_another_process_is_at_work_on_is_left_to_it(tmp_path, trained):
    made = prepared(tmp_path, "--seeds=2")
    lines, busy = [], made.runs[1]
    other = run_folder.RunFolder(busy.folder, busy)
    found = made.run("", lines.append)
    assert trained == [("std", 0), ("wo2_kl", 0), ("wo2_kl", 1)]
    assert "is at work on" in lines[2] and "Traceback" not in lines[2]
    assert found.rows[0].unfinished == [1] and not found.rows[1].unfinished
    assert found.rows[0].cells()[-1] == "1 (at work: seed 1)"
    other.write_results(results_of(busy))
    other.close()
    assert prepared(tmp_path, "--seeds=2").run("", str).rows[0].cells()[-1] == "2"
    assert len(trained) == 3


def test_a_run_whose_folder_cannot_be_read_is_left_as_it_is_and_named(tmp_path, trained):
    made = prepared(tmp_path, "--seeds=2").runs
    flags, kept = made[1].folder / "run.flags", made[2].folder / "checkpoints" / "ckpt-3.index"
    flags.write_bytes(b"\xff")
    kept.parent.mkdir()
    kept.write_bytes(b"no checkpoint")
    lines = []
    found = prepared(tmp_path, "--seeds=2").run("", lines.append)
    assert trained == [("std", 0), ("wo2_kl", 1)]
    left_out = [line for line in lines if line.startswith("left out: ")]
    assert "run.flags cannot be read" in left_out[0] and "no checkpoint in" in left_out[1]
    assert [row.cells()[-1] for row in found.rows] == ["1 (damaged: seed 1)", "1 (damaged: seed 0)"]
    assert flags.read_bytes() == b"\xff" and kept.read_bytes() == b"no checkpoint"


def test_outputs_that_are_not_finite_on_the_grid_alone_are_a_run_that_diverged(
    tmp_path, monkeypatch
):
    make = train.Experiment._evaluator

    def nothing(images):
        return tf.fill([tf.shape(images)[0], 10], np.float32(np.nan))

    def evaluator(self, images, labels):
        made = make(self, images, labels)
        grid, warp = made.grid, building.warp(self.config, xla=False)

        def damaged(*arguments, **options):
            if self.config.seed == 0:
                made.judge = judge.Judge(nothing, images, labels, warp, 16)
            return grid(*arguments, **options)

        monkeypatch.setattr(made, "grid", damaged)
        return made

    monkeypatch.setattr(train.Experiment, "_evaluator", evaluator)
    lines = []
    options = ("--defenses=std", "--seeds=2", "--steps=1", "--test_images=90")
    (row,) = prepared(tmp_path, *options).run("", lines.append).rows
    assert lines[1].startswith(
        "diverged: after step 1 the classifier gives NaN or infinite outputs"
    )
    assert (row.diverged, len(row.runs)) == ([0], 1)
    assert "| 1 (diverged: seed 0) |" in (tmp_path / "table.md").read_text()


def test_damaged_results_are_made_again(tmp_path, trained):
    prepared(tmp_path, "--seeds=1").run("", str)
    del trained[:]
    for content in ("", "null", "[]", "{}", '{"accuracies": {"grid": NaN}}'):
        (tmp_path / "small_std_seed0" / "results.json").write_text(content)
        lines = []
        prepared(tmp_path, "--seeds=1").run("", lines.append)
        assert "the run is evaluated again" in lines[1]
    assert trained == 5 * [("std", 0)]


def test_if_all_diverge_there_are_no_numbers(tmp_path, trained):
    trained.diverge = [("std", 0)]
    prepared(tmp_path, "--defenses=std", "--seeds=1").run("", str)
    text = (tmp_path / "table.md").read_text()
    assert "| std | - | - | - | - | 0 (diverged: seed 0) |" in text
    assert "batch size 16; seed 0. Made by" in text


def test_flags_reach_the_runs_that_they_have_an_effect_on(tmp_path):
    options = ("--lambda=3", "--pgd_start=zero", "--grid_counts=3,1,3", "--max_rotation=12")
    made = prepared(tmp_path, *options, "--defenses=std,grid_kl,pgd2_alp,wo2_kl", "--seeds=1")
    found = [(run.lambda_, dict(run.search_options), run.max_rotation) for run in made.runs]
    assert found == [
        (None, {}, 12),
        (3, {"grid_counts": (3, 1, 3)}, 12),
        (3, {"pgd_start": "zero"}, 12),
        (3, {}, 12),
    ]
    flagfile = made.runs[2].folder / "run.flags"
    again = small.parsed(f"--flagfile={flagfile}", f"--output_dir={flagfile.parent}")
    assert again == made.runs[2]


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.prepare(parsed(*TABLE, "--seeds=1"))
    assert pathlib.Path("runs/tables/digits/small_wo2_kl_seed0/run.flags").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--defenses=std,pgd2_kl --pgd_start=zero", "^S-PGD on 'kl' needs a random start"),
        ("--defenses=std,pgd2_at --pgd_step_sizes=1,2", "^--pgd_step_sizes must be 3, for tx"),
        ("--lambda=-1", "--lambda must be at least 0"),
        ("--steps=0", "--steps must be at least 1"),
        ("--optimizer=momentun", "did you mean 'momentum'"),
        ("--model=resnet9", "depth must be 6n"),
        ("--dataset=digit", "did you mean 'digits'"),
        ("--batch_size=5000", "batch_size of data set .digits. must be in"),
        ("--defenses=std --max_translation=8", "--max_translation must be half the image's size"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(tmp_path, option, message):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        prepared(tmp_path / "table", *option.split())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "table").exists()


def test_the_folder_of_another_table_is_refused_as_it_is(tmp_path):
    prepared(tmp_path, "--defenses=wo2_kl", "--seeds=1")
    with pytest.raises(ValueError, match="--steps is 6 there, 7 here"):
        prepared(tmp_path, "--steps=7", "--seeds=1")
    assert [file.name for file in tmp_path.iterdir()] == ["small_wo2_kl_seed0"]


def test_the_folder_of_a_run_or_of_a_search_is_refused(tmp_path):
    for name, holder in (("run.flags", "a run"), ("search.flags", "a search")):
        (tmp_path / name).write_text("")
        with pytest.raises(ValueError, match=f"is the folder of {holder}; choose another"):
            prepared(tmp_path)
        (tmp_path / name).unlink()
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write to"):
        prepared(tmp_path / "file")


@pytest.mark.slow
def test_runs_leave_nothing_in_memory(tmp_path):
    """The graph of one training step is 11,000 objects."""
    objects = []

    def count(line):
        if line.startswith("run "):
            table.forget_models()
            objects.append(len(gc.get_objects()))

    prepared(tmp_path, "--seeds=5", "--defenses=wo2_kl").run("", count)
    assert len(objects) == 5
    # What the first run loads stays.
    assert objects[-1] - objects[1] < 1000


def test_a_run_in_a_table_is_the_run_alone(tmp_path):
    lines = []
    prepared(tmp_path / "table", "--defenses=wo2_kl", "--seeds=1").run("", lines.append)
    options = ("--test_images=9", f"--output_dir={tmp_path / 'alone'}")
    alone = train.prepare(small.parsed(*small.RUN, *options)).run()
    folder = tmp_path / "table" / "small_wo2_kl_seed0"
    found = train.prepare(
        small.parsed(f"--flagfile={folder / 'run.flags'}", f"--output_dir={folder}")
    )
    assert found.run().accuracies == alone.accuracies
    other = train.prepare(small.parsed(*small.RUN, *options)).model.classifier
    for first, second in zip(found.model.classifier.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(first, second)
