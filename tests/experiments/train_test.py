"""Whole runs: from flags to a folder, killed and resumed, and the mistakes a user makes."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from spatial_keras import models
from spatial_keras.experiments import building, train
from spatial_keras.experiments.interruption import DivergedError
from spatial_keras.results import folders
from tests import small

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(name="finished", scope="module")
def run_once(tmp_path_factory):
    """A finished run, its folder and its results."""
    folder = tmp_path_factory.mktemp("run")
    run = train.prepare(small.parsed(*small.RESNET_RUN, f"--output_dir={folder}"))
    return run, folder, run.run()


def test_a_run_leaves_everything_in_its_folder(finished):
    run, folder, results = finished
    names = {file.name for file in folder.iterdir()}
    files = {"run.flags", "results.json", "classifier.keras", "examples.png"}
    assert names == {*files, "checkpoints", "tensorboard"}
    read = folders.read(folder)
    assert read == dataclasses.replace(results, config=read.config)
    assert read.config.texts() == run.config.texts()
    assert (results.accuracies.images, results.train_images) == (360, 1437)
    assert None not in vars(results.timing).values() and 0 <= results.timing.data_share < 1
    assert all(
        getattr(results.timing, f"seconds_per_{x}") > 0 for x in ("step", "search", "gradient")
    )
    assert set(results.versions) == {"python", "tensorflow", "numpy", "machine"}

    classifier = tf.keras.models.load_model(folder / "classifier.keras")
    images = run.dataset.test_images.astype(np.float32)
    right = np.argmax(classifier.predict(images, verbose=0), -1) == run.dataset.test_labels
    np.testing.assert_allclose(results.accuracies.natural, right.mean())
    assert results.accuracies.grid <= results.accuracies.natural


def test_the_hparams_page_names_the_run_by_its_folder(finished):
    _, folder, _ = finished
    events = event_accumulator.EventAccumulator(str(folder / "tensorboard")).Reload()
    metadata = events.summary_metadata["_hparams_/session_start_info"]
    found = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    assert found.session_start_info.group_name == folder.as_posix()


def test_a_finished_run_is_not_repeated(finished):
    _, folder, results = finished
    again = train.prepare(small.parsed(*small.RESNET_RUN, f"--output_dir={folder}"))
    again.train = lambda: pytest.fail("trained again")
    assert again.run().to_json() == results.to_json()


def test_the_flagfile_of_the_folder_repeats_the_run(finished, tmp_path):
    run, folder, results = finished
    options = (f"--flagfile={folder / 'run.flags'}", f"--output_dir={tmp_path}")
    again = train.prepare(small.parsed(*options))
    assert again.config.texts() == run.config.texts()
    assert again.run().accuracies == results.accuracies


def test_results_do_not_depend_on_logs_and_checkpoints(tmp_path):
    weights = []
    for name, every in (("a", 1), ("b", 5)):
        options = (
            f"--output_dir={tmp_path / name}",
            f"--log_every={every}",
            "--checkpoint_every=4",
        )
        run = train.prepare(small.parsed(*small.RUN, *options))
        run.train()
        weights.append(run.model.classifier.get_weights())
    for first, second in zip(*weights):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_mixed_precision_trains(tmp_path, policy):
    options = (f"--mixed_precision={policy}", "--steps=2", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RESNET_RUN, *options))
    assert run.model.classifier.layers[5].compute_dtype == policy
    run.train()
    assert run.checkpoints.step == 2


def test_xla_trains(tmp_path):
    options = ("--xla=on", "--steps=2", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RUN, *options))
    assert run.model.xla and run.model.search.warp.implementation == "gather"
    run.train()
    assert run.checkpoints.step == 2


def test_vgg_trains(tmp_path):
    options = ("--model=vgg16", "--image_size=17", "--steps=2", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RESNET_RUN, *options))
    assert run.model.classifier.name == "vgg16"
    run.train()
    assert run.checkpoints.step == 2


@pytest.mark.parametrize("name", ["sgdw", "adamw"])
def test_decoupled_decay_replaces_that_of_the_loss(tmp_path, name):
    options = (f"--optimizer={name}", "--weight_decay=0.25", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RUN, *options, "--steps=2"))
    assert run.model.weight_decay == 0 and run.model.optimizer.weight_decay == 0.25
    run.train()
    assert run.checkpoints.step == 2


def test_flags_reach_what_they_name(tmp_path):
    options = ("--defense=wo3_l2_mix", "--lambda=0.5", "--max_rotation=12", "--seed=7")
    run = train.prepare(small.parsed(*small.RUN, *options, f"--output_dir={tmp_path}"))
    model = run.model
    assert (model.search.k, model.regularizer_weight, model.seed) == (3, 0.5, 7)
    np.testing.assert_allclose(model.search.transformations.bounds, [1, 1, 12])
    assert building.transformations(run.config, 8, 8) == model.search.transformations
    assert model.weight_decay == 2e-4


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--defense=pgd3_at", {"steps": 3, "step_sizes": None, "start": "random"}),
        ("--defense=pgd3_at --pgd_start=random", {"start": "random"}),
        (
            "--defense=pgd3_at --pgd_step_sizes=2,0.5,3e1 --pgd_start=zero",
            {"step_sizes": (2, 0.5, 30), "start": "zero"},
        ),
        ("--defense=grid_kl", {"num_candidates": 775}),
        ("--defense=grid_kl --grid_counts=3,1,7", {"counts": (3, 1, 7)}),
    ],
)
def test_flags_of_the_search_reach_it(tmp_path, options, expected):
    arguments = (*small.RUN, "--steps=1", *options.split(), f"--output_dir={tmp_path / 'run'}")
    run = train.prepare(small.parsed(*arguments))
    found = {name: getattr(run.model.search, name) for name in expected}
    assert found == expected
    file = tmp_path / "run" / "run.flags"
    assert small.parsed(f"--flagfile={file}", f"--output_dir={file.parent}") == run.config


def test_mistakes_are_refused_in_one_line(tmp_path):
    for option, message in [
        ("--defense=wo10_lk", "unknown defense 'wo10_lk': did you mean 'wo10_"),
        ("--defense=wo0_kl", "k must be at least 1"),
        ("--dataset=digit", "did you mean 'digits'"),
        ("--model=resnet9", "depth must be 6n"),
        ("--model=resent32", "did you mean 'resnet32'"),
        ("--model=vgg16", "vgg16 .* at least 17x17, got 8x8"),
        ("--optimizer=momentun", "did you mean 'momentum'"),
        ("--max_rotation=-1", "^--max_rotation must be at least 0"),
        (
            "--max_translation=8",
            "--max_translation must be half the image's size at most, 4 pixels, got 8",
        ),
        (
            "--max_translation=8 --defense=std",
            "--max_translation must be half the image's size at most, 4 pixels, got 8",
        ),
        ("--batch_size=5000", "batch_size of data set .digits. must be in"),
        ("--batch_size=0", "--batch_size must be at least 1"),
        ("--test_images=0", "--test_images must be at least 1"),
        ("--test_images=9 --validation_images=9", "^--test_images has no effect with"),
        ("--validation_images=1437", r"held-out images .*'digits' must be in \[1, 1436\], got 14"),
        ("--steps=0", "--steps must be at least 1"),
        ("--lambda=-1", "^--lambda must be at least 0"),
        ("--learning_rate=0", "^--learning_rate must be more than 0"),
        ("--seed=-1", "--seed must be in"),
        ("--profile_steps=3", "^--profile_steps must be 2 integers .* '3'"),
        ("--profile_steps=1,2", "^--profile_steps must be at least 2, got 1"),
        ("--profile_steps=5,4", "^--profile_steps must be the first and the last step, got 5,4"),
        ("--model=resnet8 --width=0", "^--width must be more than 0"),
        ("--grid_counts=3,3,5", "^--grid_counts has no effect on defense 'wo2_kl': it does not"),
        ("--pgd_step_sizes=2,2,2", "^--pgd_step_sizes has no effect on defense 'wo2_kl': it does"),
        ("--pgd_start=random", "^--pgd_start has no effect on defense 'wo2_kl': it does not"),
        ("--pgd_start=zero --defense=std", "^--pgd_start has no effect on defense 'std': it"),
        ("--grid_counts=3,3,5 --defense=pgd2_kl", "^--grid_counts has no effect on defense 'pgd2"),
        ("--pgd_step_sizes=1,1,1 --defense=grid_at", "^--pgd_step_sizes has no effect on defense"),
        ("--lambda=2 --defense=wo2_at", "^--lambda has no effect on defense 'wo2_at': its loss"),
        ("--defense=pgd2_kl --pgd_step_sizes=2,2", r"^--pgd_step_sizes must be 3, for .*\(2"),
        ("--defense=pgd2_kl --pgd_step_sizes=2,x,2", "^--pgd_step_sizes must be numbers .*"),
        (
            "--defense=pgd2_kl --pgd_step_sizes=2,-2,2",
            "^--pgd_step_sizes must be at least 0, got",
        ),
        ("--defense=pgd2_kl --pgd_step_sizes=", "^--pgd_step_sizes must be numbers .* ''"),
        ("--defense=pgd2_kl --pgd_start=zero", "^S-PGD on 'kl' needs a random start"),
        ("--defense=grid_kl --grid_counts=3,3", r"^--grid_counts must be 3, for tx, .*\(3, 3\)"),
        ("--defense=grid_kl --grid_counts=3,3,2.5", "^--grid_counts must be integers"),
        ("--defense=grid_kl --grid_counts=3,0,5", "must be at least 1, got 0"),
        ("--max_zoom=0.5", "^--max_zoom must be at least 1, got 0.5"),
        ("--max_pitch=70", "^max_pitch 70 and max_yaw 0 bring the horizon into images of 8 x 8"),
        ("--field_of_view=90", "^--field_of_view has no effect without --max_pitch or --max_yaw"),
        ("--flip --test_grid_counts=3,3,3", "^--test_grid_counts must be 4, for tx, .*, flip, got"),
        (
            "--max_zoom=2 --max_shear=9 --max_pitch=9 --max_yaw=9",
            "^the grid over tx, .* has 188,325 points: give its counts, by default 5,5,31,3,3",
        ),
    ]:
        with pytest.raises((ValueError, TypeError), match=message) as error:
            train.prepare(
                small.parsed(*small.RUN, *option.split(), f"--output_dir={tmp_path / 'run'}")
            )
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run").exists()


def test_a_folder_of_another_run_is_refused(tmp_path):
    train.prepare(small.parsed(*small.RUN, f"--output_dir={tmp_path}"))
    with pytest.raises(ValueError, match="--steps is 6 there, 7 here"):
        train.prepare(small.parsed(*small.RUN, "--steps=7", f"--output_dir={tmp_path}"))


def test_finite_weights_with_infinite_logits_have_diverged(tmp_path):
    options = ("--steps=1", "--learning_rate=1e30", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RUN, *options))
    with pytest.raises(DivergedError, match="after step 1 the classifier gives NaN"):
        run.run()
    assert not (tmp_path / "results.json").exists()


def test_the_first_test_images_may_be_enough(tmp_path):
    options = ("--steps=2", "--test_images=7", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RUN, *options))
    images = run.dataset.test_images[:7].astype(np.float32)
    results = run.run()
    right = np.argmax(run.model.classifier(images), -1) == run.dataset.test_labels[:7]
    assert results.accuracies.images == 7
    np.testing.assert_allclose(results.accuracies.natural, right.mean())


def test_a_run_may_be_evaluated_on_images_that_are_held_out(tmp_path):
    options = ("--validation_images=31", "--defense=std", f"--output_dir={tmp_path}")
    run = train.prepare(small.parsed(*small.RUN, *options))
    results = run.run()
    assert len(run.dataset.train_images) == 1437 - 31
    assert results.evaluated_on == "31 held-out training images"
    ((step, grid),) = small.logged(tmp_path / "tensorboard")["validation/grid_accuracy"]
    assert step == 6 and grid == np.float32(results.accuracies.grid)
    logits = run.model.classifier.predict(run.dataset.test_images.astype(np.float32), verbose=0)
    right = np.argmax(logits, -1) == run.dataset.test_labels
    np.testing.assert_allclose(results.accuracies.natural, right.mean())


def test_the_default_run_is_the_papers():
    run = small.parsed("--dataset=cifar10")
    assert (run.model, run.steps, run.batch_size) == ("resnet32", 80_000, 64)
    assert (run.learning_rate, run.weight_decay, run.max_rotation) == (0.1, 2e-4, 30)
    assert (run.schedule, run.optimizer, run.search_from) == ("paper", "momentum", 0)


def test_airbench_is_whitened_over_the_runs_training_images(tmp_path):
    flags = (
        "--model=airbench",
        "--width=0.05",
        "--image_size=12",
        "--train_images=100",
        f"--output_dir={tmp_path}",
    )
    run = train.prepare(small.parsed(*small.RUN, *flags))
    run.train()
    expected = models.get("airbench", input_shape=run.dataset.input_shape, width=0.05)
    assert len(run.dataset.train_images) == 100
    models.adapt(expected, run.dataset.train_images)
    whitening = [
        model.get_layer("whitening").get_weights() for model in (run.model.classifier, expected)
    ]
    np.testing.assert_array_equal(*whitening)
