"""Whole searches; the runs in them take no time."""

import dataclasses
import math
import shutil

import keras_tuner as kt
import numpy as np
import pytest

from spatial_keras.configuration import command_line
from spatial_keras.experiments import building, table, train, tune
from spatial_keras.experiments.interruption import DivergedError
from tests import made_results, small

RUN = (*small.RUN, "--steps=90", "--validation_images=20")


def prepared(folder, *arguments):
    arguments = [*RUN, *arguments, f"--output_dir={folder}"]
    return tune.prepare(command_line.parse(tune.TuneConfig, arguments))


def grid_accuracy(config):
    """Has its maximum, 0.9, at lambda 4, a learning rate of 0.1 and all steps."""
    ratios = [config.lambda_ / 4, config.learning_rate / 0.1]
    distance = sum(math.log(ratio) ** 2 for ratio in ratios)
    return 0.9 * math.exp(-distance / 8) * config.steps / 90


class Runs(list):
    """What ran: (the folder's name, its configuration); some diverge, are killed, or fail."""

    def __init__(self):
        super().__init__()
        self.errors = {}


@pytest.fixture(name="runs")
def record_runs(monkeypatch):
    runs = Runs()

    def run(self):
        config = dataclasses.replace(self.config, output_dir=None)
        runs.append((self.folder.path.name, config))
        self.folder.close()
        if len(runs) in runs.errors:
            raise runs.errors[len(runs)]
        results = made_results.results(grid=grid_accuracy(config), **config.texts())
        self.folder.write_results(results)
        return results

    monkeypatch.setattr(train.Experiment, "run", run)
    # A network of its own for each trial takes a second.
    built = small.robust_model()
    monkeypatch.setattr(building, "build_classifier", lambda *_: None)
    monkeypatch.setattr(building, "build_model", lambda *_: built)
    # Nothing to free either: a look through all objects takes half a second.
    monkeypatch.setattr(table, "forget_models", lambda: None)
    return runs


def lambdas(runs):
    return [config.lambda_ for _, config in runs]


def search(study):
    lines = []
    return study.run(lines.append), lines


def test_random_search(tmp_path, runs):
    study = prepared(tmp_path / "a", "--max_trials=30", "--ks=1,5", "--learning_rates=0.01,1")
    trials, lines = search(study)
    assert len(runs) == len(trials.trials) == len(lines) == 30
    assert len({name for name, _ in runs}) == 30
    weights = np.array(lambdas(runs))
    # Between a 32nd and 4 times the paper's weight, 8, logarithmically.
    assert weights.min() >= 0.25 and weights.max() <= 32
    assert 5 < (weights < 0.25 * 128 ** (1 / 3)).sum() < 16
    rates = np.array([config.learning_rate for _, config in runs])
    assert rates.min() >= 0.01 and rates.max() <= 1 and 8 < (rates < 0.1).sum() < 22
    assert {config.defense for _, config in runs} == {"wo1_kl", "wo5_kl"}
    assert all(config.validation_images == 20 for _, config in runs)
    best = max(runs, key=lambda each: grid_accuracy(each[1]))
    assert trials.trials[0].config.lambda_ == best[1].lambda_
    assert trials.chosen == ["lambda", "learning_rate", "k"]
    assert lines[0].startswith("trial 1: lambda ")


def test_what_is_written(tmp_path, runs):
    trials, _ = search(prepared(tmp_path, "--max_trials=3"))
    names = {file.name for file in tmp_path.iterdir()}
    tables = {"table.md", "table.csv", "lambda.png", "lambda.svg", "best.flags", "search.flags"}
    assert tables <= names
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[0] == "# wo2_kl on digits: the trials of a search"
    assert lines[4].split(" | ")[1] == f"{trials.trials[0].config.lambda_:g}"
    assert "accuracies on 20 held-out training images" in lines[-1]


def test_the_folder_may_be_the_present_one(tmp_path, runs, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials, _ = search(prepared(".", "--max_trials=1"))
    assert trials.trials[0].results is not None
    assert {"best.flags", runs[0][0]} <= {file.name for file in tmp_path.iterdir()}
    assert not (tmp_path / "untitled_project").exists()


def test_best_flags_train_on_all_images(tmp_path, runs):
    trials, _ = search(prepared(tmp_path / "a", "--tuner=hyperband"))
    best = f"--flagfile={tmp_path / 'a' / 'best.flags'}"
    run = train.prepare(small.parsed(best, f"--output_dir={tmp_path / 'b'}"))
    assert run.config.lambda_ == trials.trials[0].config.lambda_
    assert run.config.steps == 90 and run.config.validation_images is None
    assert len(run.dataset.train_images) == 1437 and len(run.dataset.test_images) == 360


def test_a_search_that_was_killed_goes_on(tmp_path, runs):
    whole = prepared(tmp_path / "whole", "--max_trials=5")
    search(whole)
    expected = list(runs)
    runs.clear()
    runs.errors[3] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        search(prepared(tmp_path / "killed", "--max_trials=5"))
    before = runs[:2]
    assert before == expected[:2]
    runs.clear()
    runs.errors.clear()
    trials, _ = search(prepared(tmp_path / "killed", "--max_trials=5"))
    # Not those that ended; the one that was killed again, in its folder, where its checkpoints are.
    assert runs == expected[2:]
    assert len(trials.trials) == 5
    runs.clear()
    search(prepared(tmp_path / "killed", "--max_trials=5"))
    assert runs == []
    search(prepared(tmp_path / "killed", "--max_trials=7"))
    assert len(runs) == 2


@pytest.mark.parametrize("options", ["--tuner=bayesian --max_trials=4", "--tuner=hyperband"])
def test_a_search_that_goes_on_chooses_the_same_trials(tmp_path, runs, options):
    search(prepared(tmp_path / "whole", *options.split()))
    expected, runs[:] = list(runs), []
    runs.errors[3] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        search(prepared(tmp_path / "killed", *options.split()))
    runs.clear()
    runs.errors.clear()
    trials, lines = search(prepared(tmp_path / "killed", *options.split()))
    assert runs == expected[2:] and len(trials.trials) == len(expected)
    assert [line.endswith(", finished before") for line in lines[:3]] == [True, True, False]


def test_damaged_results_of_a_trial_are_made_again(tmp_path, runs):
    search(prepared(tmp_path, "--max_trials=2"))
    expected, runs[:] = list(runs), []
    (tmp_path / expected[1][0] / "results.json").write_text("{")
    search(prepared(tmp_path, "--max_trials=2"))
    assert runs == expected[1:]


def test_nothing_of_kerastuners_is_in_the_folder(tmp_path, runs):
    search(prepared(tmp_path, "--max_trials=1"))
    ((name, config),) = runs
    assert name == f"trial_lambda{config.lambda_:g}"
    assert not [file for file in tmp_path.rglob("*.json") if file.name != "results.json"]


def test_hyperband_gives_the_best_more_steps(tmp_path, runs):
    trials, _ = search(prepared(tmp_path, "--tuner=hyperband"))
    assert trials.chosen == ["lambda", "steps"]
    steps = [config.steps for _, config in runs]
    assert {n: steps.count(n) for n in set(steps)} == {10: 9, 30: 3 + 5, 90: 1 + 2 + 3}
    # The first bracket: nine for a ninth of the steps, the best of them go on.
    closeness = {weight: abs(math.log(weight / 4)) for weight in lambdas(runs)[:9]}
    ranked = sorted(closeness, key=closeness.get)
    rounds = {n: [w for w, s in zip(lambdas(runs)[:13], steps[:13]) if s == n] for n in (30, 90)}
    assert sorted(rounds[30]) == sorted(ranked[:3]) and rounds[90] == ranked[:1]


def test_bayesian_comes_close_to_the_maximum(tmp_path, runs):
    trials, _ = search(prepared(tmp_path, "--tuner=bayesian", "--max_trials=10"))
    assert len(runs) == 10
    assert 2 < trials.trials[0].config.lambda_ < 8


def test_a_trial_that_diverges_is_the_last(tmp_path, runs):
    runs.errors[1] = DivergedError("the loss is nan")
    trials, _ = search(prepared(tmp_path, "--max_trials=3"))
    assert len(runs) == 3
    assert trials.rows()[-1][0] == "1" and "diverged" in trials.rows()[-1]


def test_if_all_trials_diverge_there_is_no_best(tmp_path, runs):
    runs.errors.update({i: DivergedError("the loss is nan") for i in (1, 2)})
    with pytest.raises(DivergedError, match="^all trials diverged"):
        search(prepared(tmp_path, "--max_trials=2"))
    assert len(runs) == 2 and not (tmp_path / "best.flags").exists()


def test_any_other_error_stops_the_search(tmp_path, runs):
    runs.errors[2] = OSError("the disk is full")
    with pytest.raises(kt.errors.FatalRuntimeError, match="trial 2: the disk is full"):
        search(prepared(tmp_path, "--max_trials=3"))
    assert len(runs) == 2


def test_lambda_may_be_fixed(tmp_path, runs):
    options = ("--lambda=3", "--learning_rates=0.01,1", "--max_trials=2")
    trials, _ = search(prepared(tmp_path, *options))
    assert set(lambdas(runs)) == {3.0} and trials.chosen == ["learning_rate"]
    assert not (tmp_path / "lambda.png").exists()


def test_a_network_that_cannot_be_built_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="^depth must be 6n [+] 2"):
        prepared(tmp_path / "a", "--model=resnet9")
    assert not (tmp_path / "a").exists()


def test_the_folder_of_another_search_is_refused(tmp_path, runs):
    search(prepared(tmp_path, "--max_trials=1"))
    with pytest.raises(ValueError, match="--tuner is random there, bayesian here"):
        prepared(tmp_path, "--max_trials=1", "--tuner=bayesian")
    shutil.rmtree(tmp_path)
    (tmp_path / "run").mkdir(parents=True)
    (tmp_path / "run" / "run.flags").write_text("")
    with pytest.raises(ValueError, match="is the folder of a run; choose another"):
        prepared(tmp_path / "run")
    prepared(tmp_path, "--max_trials=1", "--tuner=bayesian")
