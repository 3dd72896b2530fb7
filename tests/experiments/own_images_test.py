"""A folder of 40 images in 4 classes is trained on and evaluated by name."""

import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from spatial_keras.configuration import command_line
from spatial_keras.experiments import evaluate, train
from spatial_keras.results.run_results import Results
from tests import small
from tests.data import tfds_test

CLASSES = ("blue", "green", "red", "weiß")
COLORS = np.uint8([[0, 0, 255], [0, 255, 0], [255, 0, 0], [255, 255, 255]])


@pytest.fixture(name="folder")
def write_images(tmp_path):
    rng = np.random.default_rng(0)
    for name, color in zip(CLASSES, COLORS):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(10):
            pixels = color * rng.uniform(0.5, 1, [20, 24, 1])
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(
                tmp_path / "images" / name / f"{i}.png"
            )
    return tmp_path / "images"


def test_a_folder_of_images_is_trained_on_and_evaluated(folder, tmp_path):
    (folder / "red" / "damaged.png").write_bytes(b"")
    (folder / "red" / "list.txt").write_text("")
    flags = "--test_fraction=0.25 --image_size=32 --defense=wo3_kl --model=resnet8 --steps=3"
    flags = (
        "--skip_damaged",
        f"--dataset=folder:{folder}",
        *flags.split(),
        "--width=0.125",
        "--xla=off",
    )
    with pytest.warns(UserWarning, match="--batch_size is 28, all training|1 damaged images are"):
        run = train.prepare(small.parsed(*flags, f"--output_dir={tmp_path / 'run'}"))
    results = run.run()
    assert results.damaged_images_left_out == 1
    note = f"Left out of '{folder}', as they are no images: 1 .txt."
    assert results.notes == Results.from_json(results.to_json()).notes == (note,)
    assert run.dataset.class_names == CLASSES and len(run.dataset.test_labels) == 12

    config = command_line.parse(
        evaluate.EvaluateConfig,
        [f"--run={tmp_path / 'run'}", "--measures=natural,grid", "--grid_counts=1,1,3"],
    )
    prepared = evaluate.prepare(config)
    found = prepared.run()
    assert list(found.per_class()) == list(CLASSES)
    np.testing.assert_array_equal(found.sample.labels, run.dataset.test_labels)
    written = json.loads(prepared.output.read_text())
    assert written["flags"]["test_fraction"] == "0.25"
    rows = prepared.output.with_suffix(".csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.split(",")[2] for row in rows} == set(CLASSES)
    assert written["damaged_images_left_out"] == 1 and note in written["notes"]


@pytest.mark.parametrize(
    ("dataset", "expected"), [("folder:/a/photos/", "photos"), ("cifar10", "cifar10")]
)
def test_the_run_is_named_by_the_folder(dataset, expected):
    config = small.parsed(f"--dataset={dataset}", "--defense=std", "--model=resnet8")
    assert str(config.folder) == f"runs/{expected}/resnet8_std_seed0"


def test_a_model_from_a_file_is_trained_on(folder, tmp_path):
    inputs = tf.keras.Input([32, 32, 3])
    x = tf.keras.layers.Flatten()(tf.keras.layers.Rescaling(1 / 255)(inputs))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(4, "softmax")(x))
    model.save(tmp_path / "mine.keras")
    flags = [
        f"--dataset=folder:{folder}", "--test_fraction=0.25", "--image_size=32", "--batch_size=8",
        f"--model={tmp_path / 'mine.keras'}", "--defense=std", "--xla=off",
        f"--output_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    run = train.prepare(small.parsed(*flags))
    assert run.config.name == "mine_std_seed0"
    for found, expected in zip(run.model.classifier.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(found, expected)
    wrong = [flag.replace("=32", "=24") for flag in flags]
    with pytest.raises(ValueError, match="takes images of 32 x 32 x 3, got 24 x 24 x 3"):
        train.prepare(small.parsed(*wrong))
    with pytest.raises(ValueError, match="--width has no effect on a model from a file"):
        small.parsed(*flags, "--width=0.5")
    with pytest.raises(ValueError, match="model 'none.keras' does not exist"):
        train.prepare(small.parsed(*flags, "--model=none.keras"))


def test_a_network_of_keras_is_trained_and_evaluated(folder, tmp_path, monkeypatch):
    def small_network(input_shape, classes, **_):
        return tf.keras.Sequential([
            tf.keras.Input(input_shape), tf.keras.layers.Flatten(), tf.keras.layers.Dense(classes)
        ])  # fmt: skip

    small_network.__module__ = tf.keras.applications.MobileNet.__module__
    monkeypatch.setattr(tf.keras.applications, "MobileNet", small_network)
    small_network((32, 32, 3), 4).save_weights(tmp_path / "mine.weights.h5")
    flags = [
        f"--dataset=folder:{folder}", "--test_fraction=0.25", "--image_size=32", "--batch_size=8",
        "--model=keras:MobileNet", f"--weights={tmp_path / 'mine.weights.h5'}", "--defense=std",
        "--xla=off", "--steps=2",
    ]  # fmt: skip
    assert small.parsed(*flags).folder.name == "MobileNet_std_seed0"
    run = train.prepare(small.parsed(*flags, f"--output_dir={tmp_path / 'run'}"))
    run.train()
    arguments = [f"--run={tmp_path / 'run'}", "--measures=natural"]
    prepared = evaluate.prepare(command_line.parse(evaluate.EvaluateConfig, arguments))
    assert prepared.run().outcomes["natural"].accuracy == run.evaluate().natural


def test_flags_of_other_networks_are_refused():
    for flags, message in [
        ("--model=keras:MobileNet --width=0.5", "--width has no effect on a network of Keras's"),
        ("--model=resnet8 --weights=x.h5", "--weights is for --model=keras:NAME alone"),
        ("--model=resnet8 --unsafe", "--unsafe is for --model=FILE alone"),
    ]:
        with pytest.raises(ValueError, match=message):
            small.parsed(*flags.split())


def test_a_model_that_runs_code_is_trained_on_if_trusted(folder, tmp_path):
    inputs = tf.keras.Input([32, 32, 3])
    x = tf.keras.layers.Lambda(lambda images: images / 255)(inputs)
    x = tf.keras.layers.Dense(4)(tf.keras.layers.Flatten()(x))
    tf.keras.Model(inputs, x).save(tmp_path / "mine.keras")
    flags = [
        f"--dataset=folder:{folder}", "--test_fraction=0.25", "--image_size=32", "--batch_size=8",
        f"--model={tmp_path / 'mine.keras'}", "--defense=std", "--xla=off", "--steps=1",
        f"--output_dir={tmp_path / 'run'}",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="holds Lambda.* may run code"):
        train.prepare(small.parsed(*flags))
    train.prepare(small.parsed(*flags, "--unsafe")).train()
    arguments = [f"--run={tmp_path / 'run'}", "--measures=natural"]
    with pytest.raises(ValueError, match="holds Lambda.* may run code"):
        evaluate.prepare(command_line.parse(evaluate.EvaluateConfig, arguments))
    evaluate.prepare(command_line.parse(evaluate.EvaluateConfig, [*arguments, "--unsafe"]))


def test_a_set_to_test_on_is_evaluated_on_but_not_trained_on(tmp_path):
    tfds_test.store(tmp_path, test=tfds_test.examples(9))
    inputs = tf.keras.Input(tfds_test.SHAPE)
    x = tf.keras.layers.Flatten()(tf.keras.layers.Rescaling(1 / 255)(inputs))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(x))
    model.save(tmp_path / "mine.keras")
    data = ["--dataset=tiny", f"--data_dir={tmp_path}", "--max_translation=25%"]
    arguments = [f"--model={tmp_path / 'mine.keras'}", *data, "--measures=natural"]
    prepared = evaluate.prepare(command_line.parse(evaluate.EvaluateConfig, arguments))
    assert list(prepared.evaluator.transformations.bounds) == [1.5, 1, 30]
    guesses = np.argmax(model(tfds_test.pixels(9).astype(np.float32)), axis=1)
    expected = np.mean(guesses == np.arange(9) % 3)
    assert prepared.run().outcomes["natural"].accuracy == expected
    with pytest.raises(ValueError, match="data set 'tiny' has no training images, only test"):
        train.prepare(small.parsed(*data, "--model=resnet8", "--defense=std"))
