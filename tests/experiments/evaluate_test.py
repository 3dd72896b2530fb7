"""Whole evaluations: from flags to files, killed and resumed, and the mistakes a user makes."""

import contextlib
import csv
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import evaluation
from spatial_keras.configuration import command_line, evaluate_config
from spatial_keras.configuration.evaluate_options import MEASURES
from spatial_keras.experiments import evaluate, train
from tests import small
from tests.classifiers import keras_file_test

# A grid of 3 x 3 x 3 points, of 9 images, in passes of 8.
SMALL = tuple(
    "--limit=9 --grid_counts=3,3,3 --batch_size=8 --draws=2 --k=2 --gradient_steps=2 "
    "--attack_steps=2 --attack_refinements=3 --xla=off".split()
)


def parsed(*arguments):
    asked = [measure for argument in arguments if "--measures=" in argument for measure in MEASURES
             if measure in argument] or MEASURES  # fmt: skip
    without = [
        flag
        for flag, measures in evaluate_config._OF_MEASURES.items()
        if not {*measures} & {*asked}
    ]
    small_ones = [one for one in SMALL if one[2:].split("=")[0] not in without]
    return command_line.parse(evaluate_config.EvaluateConfig, [*small_ones, *arguments])


def prepared(*arguments):
    return evaluate.prepare(parsed(*arguments))


@pytest.fixture(name="finished", scope="module")
def make_finished(tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    train.prepare(small.parsed(*small.RUN, f"--output_dir={folder}")).run()
    return folder


@pytest.fixture(name="folder")
def make_folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def load(path):
    """Returns the results without what differs from time to time."""
    results = json.loads(path.read_text())
    for measure in results["measures"].values():
        del measure["seconds"]
    return results


def test_a_run_needs_only_its_folder(folder):
    run = prepared(f"--run={folder}")
    report = run.run()
    assert [*report.outcomes, "profile"] == list(MEASURES)
    np.testing.assert_allclose(run.evaluator.transformations.bounds, [1, 1, 30])  # the run's
    results = json.loads((folder / "evaluation.json").read_text())
    assert results["measures"] == report.measures()
    assert (results["dataset"], results["steps"], results["test_images"]) == ("digits", 6, 9)
    assert results["passes"] == sum(m["passes"] for m in results["measures"].values())
    assert results["versions"]["tensorflow"] == tf.__version__
    assert results["flags"]["grid_counts"] == "3,3,3"
    assert "Only the first 9 of 360 test images." in results["notes"]
    rows = list(csv.DictReader((folder / "evaluation.csv").open()))
    rows.sort(key=lambda row: int(row["image"]))
    assert [int(row["grid_right"]) for row in rows] == report.outcomes["grid"].right.tolist()
    assert [row["name"] for row in rows] == [str(name) for name in report.sample.names]
    assert not list(folder.glob(".partial*"))


def test_a_run_that_has_not_finished_is_evaluated_at_its_newest_checkpoint(tmp_path):
    run = train.prepare(small.parsed(*small.RUN, f"--output_dir={tmp_path}"))
    run.train()
    found = prepared(f"--run={tmp_path}", "--measures=natural")
    images = run.dataset.test_images[:9].astype(np.float32)
    right = np.argmax(run.model.classifier(images), -1) == run.dataset.test_labels[:9]
    np.testing.assert_array_equal(found.run().outcomes["natural"].right, right)
    assert found.subject["steps"] == 6


def test_a_model_gets_its_results_beside_it(folder):
    model = folder / "classifier.keras"
    options = (f"--model={model}", "--dataset=digits", "--image_size=8", "--max_translation=1")
    report = prepared(*options, "--measures=grid,natural").run()
    same = prepared(f"--run={folder}", "--measures=natural,grid").run()
    assert list(report.outcomes) == ["natural", "grid"]
    np.testing.assert_array_equal(report.outcomes["grid"].right, same.outcomes["grid"].right)
    assert (folder / "classifier_evaluation.json").exists()
    assert (folder / "classifier_evaluation.csv").exists()


def test_the_map_holds_every_margin_and_gives_the_same_accuracy(folder, tmp_path):
    options = (f"--run={folder}", "--measures=natural,grid")
    pruned = prepared(*options).run().outcomes["grid"]
    output = tmp_path / "full.json"
    whole = prepared(*options, "--map", f"--output={output}").run().outcomes["grid"]
    np.testing.assert_array_equal(pruned.right, whole.right)
    margins = np.load(tmp_path / "full_map" / "margins.npy", mmap_mode="r")
    assert margins.shape == (9, 27)
    np.testing.assert_array_equal((margins >= 0).all(axis=1), pruned.right)
    np.testing.assert_array_equal(margins.min(axis=1), whole.margins)


class KilledError(Exception):
    pass


def killed_after(monkeypatch, method):
    def stop(*args):
        raise KilledError

    monkeypatch.setattr(evaluation.Evaluator, method, stop)


def test_resume_goes_on_where_it_was_killed(folder, monkeypatch):
    expected = prepared(f"--run={folder}").run()
    whole = load(folder / "evaluation.json")
    (folder / "evaluation.json").unlink()
    with monkeypatch.context() as patch:
        killed_after(patch, "attack")
        with pytest.raises(KilledError):
            prepared(f"--run={folder}").run()
    assert not (folder / "evaluation.json").exists()
    with monkeypatch.context() as patch:
        killed_after(patch, "grid")  # must not be asked again
        resumed = prepared(f"--run={folder}", "--resume").run()
    assert load(folder / "evaluation.json") == whole
    for name, outcome in expected.outcomes.items():
        np.testing.assert_array_equal(resumed.outcomes[name].right, outcome.right)
        assert type(resumed.outcomes[name]) is type(outcome)


@pytest.mark.parametrize("content", [b"", b"PK garbage", None])
def test_resume_measures_again_what_is_damaged(folder, monkeypatch, content):
    expected = prepared(f"--run={folder}").run()
    with monkeypatch.context() as patch:
        killed_after(patch, "attack")
        with pytest.raises(KilledError):
            prepared(f"--run={folder}").run()
    for file in folder.glob(".partial-evaluation/*.npz"):
        if content is None:  # a pickle
            np.savez(file, right=np.array([print], dtype=object))
        else:
            file.write_bytes(content)
    resumed = prepared(f"--run={folder}", "--resume").run()
    for name, outcome in expected.outcomes.items():
        np.testing.assert_array_equal(resumed.outcomes[name].right, outcome.right)


def test_a_map_killed_before_its_accuracy_was_written_can_be_resumed(folder, monkeypatch):
    options = (f"--run={folder}", "--measures=natural,grid", "--map")
    expected = prepared(*options).run().outcomes["grid"]
    margins = np.load(folder / "evaluation_map" / "margins.npy")
    shutil.rmtree(folder / "evaluation_map")
    grid_map = evaluation.Evaluator.grid_map

    def stop(*args, **kwargs):
        grid_map(*args, **kwargs)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(evaluation.Evaluator, "grid_map", stop)
        with pytest.raises(KilledError):
            prepared(*options).run()
    found = prepared(*options, "--resume").run().outcomes["grid"]
    np.testing.assert_array_equal(found.margins, expected.margins)
    np.testing.assert_array_equal(np.load(folder / "evaluation_map" / "margins.npy"), margins)


def test_a_second_process_is_refused(folder):
    found = prepared(f"--run={folder}", "--measures=natural")
    lock = found._lock()
    with pytest.raises(ValueError, match="process .* is at work on"):
        prepared(f"--run={folder}", "--measures=natural").run()
    lock.release()
    found.run()


def test_resume_of_another_evaluation_is_refused(folder, monkeypatch):
    with monkeypatch.context() as patch:
        killed_after(patch, "random")
        with pytest.raises(KilledError):
            prepared(f"--run={folder}").run()
    with pytest.raises(ValueError, match="begun with another classifier, other images or other"):
        prepared(f"--run={folder}", "--resume", "--seed=1").run()
    prepared(f"--run={folder}", "--limit=7", "--measures=natural").run()  # starts anew


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_what_is_measured_already_is_not_looked_for_elsewhere(folder, tmp_path, options):
    partial, elsewhere = tmp_path / ".partial-a", tmp_path / "elsewhere"
    elsewhere.mkdir()
    partial.symlink_to(elsewhere)
    command = (f"--run={folder}", "--measures=natural", f"--output={tmp_path / 'a.json'}", *options)
    with pytest.raises(ValueError, match=".partial-a' is a link"):
        prepared(*command).run()
    assert not any(elsewhere.iterdir())
    partial.unlink()
    partial.mkdir()
    os.mkfifo(partial / "natural.npz")
    with pytest.raises(ValueError, match="natural.npz' is neither a file nor a folder"):
        prepared(*command).run()


def test_resume_of_nothing_starts(folder):
    assert prepared(f"--run={folder}", "--resume", "--measures=natural").run()


def test_mistakes_are_refused_in_one_line(finished):
    for arguments, message in [
        ((), "either --run=FOLDER or --model=FILE"),
        (("--run=a", "--model=b"), "either --run=FOLDER or --model=FILE"),
        (("--run=nowhere",), "'nowhere' is not the folder of a run"),
        (("--model=nowhere.keras", "--dataset=digits"), "model 'nowhere.keras' does not exist"),
        (("--run=RUN", "--measures=grd"), "unknown --measures 'grd': did you mean 'grid'"),
        (("--run=RUN", "--measures=attack"), "'attack' starts from 'grid'"),
        (("--run=RUN", "--measures=grid,profile"), "'profile' goes by 'natural' and 'grid'"),
        (("--run=RUN", "--limit=0"), "--limit must be at least 1"),
        (("--run=RUN", "--draws=0"), "--draws must be at least 1"),
        (("--run=RUN", "--grid_counts=5,5"), r"--grid_counts must be 3, for tx, .* got \(5, 5\)"),
        (("--run=RUN", "--grid_counts=5,x,5"), "--grid_counts must be integers"),
        (
            ("--run=RUN", "--grid_counts=0,1,1", "--measures=grid"),
            "--grid_counts must be at least 1",
        ),
        (("--run=RUN", "--input_range=0"), "--input_range must be 2 numbers"),
        (("--run=RUN", "--output=x.txt"), "--output must be NAME.json"),
        (("--run=RUN", "--output=.json"), "--output must be NAME.json"),
        (("--run=RUN", "--output=RUN/results.json"), "--output must not be results.json"),
        (("--run=RUN", "--output=RUN/run.flags/x.json"), "--output: .*run.flags. is a file"),
        (("--run=RUN", "--data_dir=RUN"), "--data_dir has no effect: 'digits' is not of"),
        (("--run=RUN", "--dataset=digit"), "did you mean 'digits'"),
        (("--run=RUN", "--image_size=9"), "takes images of 8 x 8 x 1, got 9 x 9 x 1"),
        (("--model=RUN/classifier.keras",), "--model needs --dataset"),
        (("--run=RUN", "--max_rotation=-1"), "--max_rotation must be at least 0"),
    ]:
        arguments = [argument.replace("RUN", str(finished)) for argument in arguments]
        with pytest.raises((ValueError, TypeError), match=message) as error:
            prepared(*arguments).run()
        assert "\n" not in str(error.value)


def test_a_run_without_a_checkpoint_is_refused(tmp_path):
    train.prepare(small.parsed(*small.RUN, f"--output_dir={tmp_path}"))
    with pytest.raises(ValueError, match="has no checkpoint yet"):
        prepared(f"--run={tmp_path}")


def test_a_grid_without_the_identity_is_noted(folder):
    notes = prepared(f"--run={folder}", "--grid_counts=3,2,3").notes
    assert "The grid, 3 x 2 x 3 points, does not contain the untouched image." in notes


def test_a_classifier_of_more_classes_is_noted(tmp_path):
    inputs = tf.keras.Input([8, 8, 1])
    outputs = tf.keras.layers.Dense(12)(tf.keras.layers.Flatten()(inputs))
    tf.keras.Model(inputs, outputs).save(tmp_path / "wide.keras")
    options = (f"--model={tmp_path / 'wide.keras'}", "--dataset=digits", "--image_size=8")
    run = prepared(*options, "--measures=natural")
    assert "The classifier has 12 classes, the data 10." in run.notes
    assert set(run.run().per_class()) <= {str(i) for i in range(12)}


def test_a_run_whose_classifier_holds_code_is_refused_unless_unsafe_is_given(folder, tmp_path):
    mark = tmp_path / "it_ran"
    keras_file_test.lambda_model(mark).save(folder / "classifier.keras")
    mark.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="holds Lambda"):
        prepared(f"--run={folder}")
    assert not mark.exists()
    with contextlib.suppress(ValueError):  # once loaded and tried, it has too few classes
        prepared(f"--run={folder}", "--unsafe", "--image_size=12")
    assert mark.exists()


def test_yaml_is_neither_a_model_nor_a_flagfile(folder, tmp_path):
    mark = tmp_path / "it_ran"
    file = tmp_path / "model.yaml"
    file.write_text(f"!!python/object/apply:os.system ['touch {mark}']\n")
    with pytest.raises(ValueError, match="must be a .keras, .h5, .tflite or .onnx file"):
        prepared(f"--model={file}", "--dataset=digits")
    with pytest.raises(ValueError, match="not a flag"):
        prepared(f"--flagfile={file}")
    assert not mark.exists()
