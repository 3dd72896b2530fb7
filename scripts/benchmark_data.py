"""How fast images come from disk, and in how much memory; `benchmark.py data` shows it."""

import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import PIL.Image
import tensorflow as tf

from spatial_keras import data, models
from spatial_keras.training import defenses

_FILES, _CLASSES, _SIZE = 60_000, 10, 224
_KINDS, _TEST_FILES = 200, 20
_TRAIN = pathlib.Path(__file__).with_name("train.py")
_NETWORK = "keras:ResNet50"


def write_jpegs(folder: pathlib.Path) -> None:
    """Writes JPEGs of 224x224 in folders of ten classes, train and test, about 13 kB each.

    They are 200 pictures of smooth colours and noise; a comment makes each file another.
    """
    rng = np.random.default_rng(0)
    pictures = [_jpeg(rng) for _ in range(_KINDS)]
    for part, number in (("train", _FILES), ("test", _TEST_FILES)):
        for i in range(number):
            file = folder / part / f"class{i % _CLASSES}" / f"{i:05}.jpg"
            if i < _CLASSES:
                file.parent.mkdir(parents=True)
            comment = f"{part} {i:06}".encode()
            segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
            picture = pictures[rng.integers(_KINDS)]
            file.write_bytes(picture[:2] + segment + picture[2:])


def _jpeg(rng: np.random.Generator) -> bytes:
    coarse = PIL.Image.fromarray(rng.integers(0, 256, [16, 16, 3]).astype(np.uint8))
    smooth = np.asarray(coarse.resize((_SIZE, _SIZE), PIL.Image.BICUBIC))
    noisy = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    content = io.BytesIO()
    PIL.Image.fromarray(noisy).save(content, "JPEG", quality=85)
    return content.getvalue()


def measure_data(rounds: int) -> list[tuple[str, str, str]]:
    """From 60,000 JPEGs: images a second, a ResNet-50 step's wait for them, train.py's memory.

    They are cut to seven eighths and resized to 224x224.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        write_jpegs(folder)
        dataset = data.get(f"folder:{folder}", image_size=_SIZE, crop=0.875, stream="on")
        rate = images_per_second(dataset, 64, 5 * rounds)
        seconds, share = wait_of_a_step(dataset, 16, rounds)
        return [
            ("images read, decoded and resized", f"{rate:.0f} a second", ""),
            ("wait for data / a std step of ResNet-50", f"{share:.2%}", "at most 2%"),
            ("  seconds of a step of 16 images", f"{seconds:.2f}", ""),
            ("peak memory of train.py", f"{peak_memory(folder):.2f} GB", "under 3 GB"),
        ]


def images_per_second(dataset: data.Dataset, batch_size: int, batches: int) -> float:
    """Returns the rate of training batches that nobody makes anything of."""
    stream = iter(dataset.training_batches(batch_size, seed=0, flip=True))
    for _ in range(5):  # the threads start, batches are made ahead
        next(stream)
    start = time.perf_counter()
    for _ in range(batches):
        next(stream)
    return batch_size * batches / (time.perf_counter() - start)


def wait_of_a_step(dataset: data.Dataset, batch_size: int, steps: int) -> tuple[float, float]:
    """Returns the seconds of a step within `fit` and the share of it that waits for data."""
    classifier = models.get(
        _NETWORK, num_classes=dataset.num_classes, input_shape=dataset.input_shape
    )
    model = defenses.get("std").build(classifier)
    model.compile(optimizer=tf.keras.optimizers.SGD(0.01, momentum=0.9), jit_compile=False)
    waiting, times = data.WaitingTime(), []
    watch = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append((time.perf_counter(), waiting.seconds))
    )
    stream = waiting.of(dataset.training_batches(batch_size, seed=0))
    # The first step traces, and the next ones find batches that were made meanwhile.
    model.fit(stream, steps_per_epoch=steps + 4, callbacks=[watch], shuffle=False, verbose=0)
    seconds, waited = np.subtract(times[-1], times[3])
    return seconds / steps, waited / seconds


def peak_memory(folder: pathlib.Path) -> float:
    """Returns the peak memory in GB of a train.py that reads these images from disk."""
    flags = (
        "--crop=0.875 --stream=on --model=resnet8 --width=0.25 --defense=wo3_kl --steps=6 "
        "--batch_size=32 --max_translation=24"
    )
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, _TRAIN, f"--dataset=folder:{folder}", f"--image_size={_SIZE}"]
        command += [*flags.split(), f"--output_dir={output}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"train.py failed: exit status {status}.")
    return usage.ru_maxrss / 2**20
