"""Records of TFDS, read one by one from where they lie."""

from __future__ import annotations

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from spatial_keras import data
from spatial_keras.data import tfds_records
from spatial_keras.data.images_on_disk import ImagesOnDisk
from tests.data import tfds_test

CLASSES = ["cat", "dog", "eel"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A set of images of several sizes in several files."""
    folder = tmp_path_factory.mktemp("tfds")
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=CLASSES),
            "file": tfds.features.Text(),
        }
    )
    rng = np.random.default_rng(0)
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="cifar10",
        version="1.0.0",
        features=features,
        split_datasets={
            split: [
                (
                    row,
                    {
                        "image": rng.integers(0, 256, (9 + row % 5, 12, 3)).astype(np.uint8),
                        "label": row % 3,
                        "file": f"{row}",
                    },
                )
                for row in range(count)
            ]
            for split, count in (("train", 40), ("validation", 9))
        },
        data_dir=folder,
        download_config=tfds.download.DownloadConfig(num_shards=3),
    )
    assert len(builder.info.splits["train"].filepaths) == 3
    return folder, builder


def test_a_set_on_disk_is_the_set_in_memory(stored):
    memory, disk = (
        data.get("cifar10", stored[0], image_size=8, crop=0.8, stream=stream)
        for stream in ("auto", "on")
    )
    assert isinstance(disk.train_images, ImagesOnDisk) and disk.input_shape == (8, 8, 3)
    assert disk.flip_keeps_label and len(set(disk.train_labels)) == 3
    for part in ("train", "test"):
        for kind in ("images", "labels"):
            found, expected = (getattr(one, f"{part}_{kind}") for one in (disk, memory))
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    memory, disk = (one.hold_out(9).subset(20, seed=1) for one in (memory, disk))
    streams = [one.training_batches(6, 3, first_step=2) for one in (memory, disk)]
    for (images, labels), (others, other_labels) in zip(*[each.take(7) for each in streams]):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


def read(stored):
    return data.get("cifar10", stored[0], image_size=8, stream="on")


def test_the_records_are_sought_once(stored, monkeypatch):
    first = read(stored)
    cache = stored[1].data_path / ".spatial_keras-train.npz"
    assert cache.exists()
    with monkeypatch.context() as patch:
        patch.setattr(tfds_records.RecordReader, "label", lambda *_: 0)
        again = read(stored)
    np.testing.assert_array_equal(again.train_labels, first.train_labels)
    np.testing.assert_array_equal(again.train_images, first.train_images)
    content = cache.read_bytes()
    for damaged in (content[:-9], b"", content[:300]):
        cache.write_bytes(damaged)
        np.testing.assert_array_equal(read(stored).train_labels, first.train_labels)
        assert cache.read_bytes() == content


def test_a_damaged_record_is_named(stored):
    whole = read(stored)
    file = stored[1].info.splits["train"].filepaths[1]
    content = bytearray(file.read_bytes())
    before = len(list(tf.data.TFRecordDataset(stored[1].info.splits["train"].filepaths[0])))
    content[40] ^= 255
    file.write_bytes(bytes(content))
    message = r"^the image at byte 0 of '.*00001-of-00003' cannot be read \(.*orrupt.*\)\.$"
    with pytest.raises(ValueError, match=message):
        np.asarray(whole.train_images)
    np.asarray(whole.train_images[np.arange(len(whole.train_labels)) != before])
    content[40] ^= 255
    file.write_bytes(bytes(content[:-20]))
    with pytest.raises(ValueError, match=r"^data set 'cifar10' in .* cannot be read \(.*truncated"):
        read(stored)
    file.write_bytes(bytes(content))
    np.testing.assert_array_equal(read(stored).train_images, whole.train_images)


def test_images_are_named_by_the_ids_of_tfds(stored):
    config = tfds.ReadConfig(add_tfds_id=True)
    examples = stored[1].as_dataset(split="train", read_config=config)
    label_of = {each["tfds_id"].decode(): each["label"] for each in examples.as_numpy_iterator()}
    found = data.get("cifar10", stored[0], image_size=8).hold_out(9)
    for names, labels in (
        (found.train_names, found.train_labels), (found.test_names, found.test_labels)
    ):  # fmt: skip
        assert [label_of.pop(name) for name in names] == labels.tolist()
    assert not label_of


def labelled(folder, first):
    """A set of three classes, whose first image is of this one."""
    rows = tfds_test.examples(6)
    for row, example in rows:
        example["label"] = (row + first) % 3
    return pathlib.Path(tfds_test.store(folder, train=rows, test=rows).data_path)


def test_labels_noted_for_other_records_of_the_same_sizes_are_not_taken(tmp_path):
    old, new = (labelled(tmp_path / str(first), first) for first in (0, 1))
    data.get("tiny", tmp_path / "0")
    name = ".spatial_keras-train.npz"
    shutil.copy2(old / name, new / name)
    for file in new.glob("*train.tfrecord*"):
        as_before = (old / file.name).stat()
        assert file.stat().st_size == as_before.st_size
        os.utime(file, ns=(as_before.st_atime_ns, as_before.st_mtime_ns))
    found = data.get("tiny", tmp_path / "1")
    np.testing.assert_array_equal(found.train_labels, [1, 2, 0, 1, 2, 0])


def refused(folder):
    with pytest.raises(ValueError, match="^data set 'tiny' in .* cannot be read") as error:
        data.get("tiny", folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_of_records_are_looked_at_before_tensorflow_reads_them(tmp_path):
    folder = labelled(tmp_path, 0)
    (file,) = folder.glob("*train.tfrecord*")
    content = file.read_bytes()
    file.write_bytes((1 << 40).to_bytes(8, "little") + content[8:])
    assert "the record at byte 0 of " in refused(tmp_path)
    file.unlink()
    os.mkfifo(file)
    assert "is not a regular file" in refused(tmp_path)
    file.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    file.symlink_to(tmp_path / "elsewhere")  # where large files may lie
    assert len(data.get("tiny", tmp_path).train_labels) == 6
    info = folder / "dataset_info.json"
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    text = info.read_text()
    assert template in text
    info.write_text(text.replace(template, f"{tmp_path}/{template}"))
    assert "is not in its folder" in refused(tmp_path)
    info.write_text(text.replace('"tfrecord"', '"array_record"'))
    assert "only tfrecord can be read" in refused(tmp_path)
