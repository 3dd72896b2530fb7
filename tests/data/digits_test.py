"""The digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import pytest

from spatial_keras import data


@pytest.fixture(scope="module")
def digits():
    return data.get("digits")


def bilinear(image, size):
    """Samples at half-pixel centres, outside = the nearest pixel, image [h, h]."""
    at = np.clip((np.arange(size) + 0.5) * len(image) / size - 0.5, 0, len(image) - 1)
    weights = np.maximum(1 - abs(at[:, None] - np.arange(len(image))), 0)
    return weights @ image @ weights.T


def test_digits_are_grey_images_with_labels(digits):
    assert digits.name == "digits"
    assert digits.train_images.shape == (1437, 32, 32, 1)
    assert digits.test_images.shape == (360, 32, 32, 1)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int32
    assert (digits.train_images.min(), digits.train_images.max()) == (0, 255)
    assert digits.input_shape == (32, 32, 1)
    assert digits.class_names == tuple("0123456789")
    assert digits.num_classes == 10
    assert "train_images" not in repr(digits)


def test_digits_split_is_stratified(digits):
    test, train = (np.bincount(labels) for labels in (digits.test_labels, digits.train_labels))
    np.testing.assert_allclose(test, (test + train) / 5, atol=1)


def test_digits_split_loses_and_doubles_nothing():
    from sklearn import datasets

    small = data.get("digits", image_size=8)
    images = np.concatenate([small.train_images, small.test_images]).reshape(-1, 64)
    labels = np.concatenate([small.train_labels, small.test_labels])
    raw, targets = datasets.load_digits(return_X_y=True)
    expected = np.round(raw * (255 / 16)).astype(int)
    rows = [tuple(row) for row in np.column_stack([images, labels]).tolist()]
    assert sorted(rows) == sorted(map(tuple, np.column_stack([expected, targets]).tolist()))


@pytest.mark.parametrize("size", [16, 32])
def test_digits_are_resized_bilinearly(size):
    small = data.get("digits", image_size=8).train_images[:50, ..., 0] / 255
    large = data.get("digits", image_size=size).train_images[:50, ..., 0]
    expected = [255 * bilinear(np.round(image * 16) / 16, size) for image in small]
    np.testing.assert_allclose(large, expected, atol=0.501)


@pytest.mark.parametrize("name", ["digits", "folder:somewhere"])
def test_a_folder_of_tfds_has_no_effect(tmp_path, name):
    with pytest.raises(ValueError, match=f"^--data_dir has no effect: '{name}' is not of Tens"):
        data.get(name, tmp_path)


@pytest.mark.parametrize("options", [{"crop": 0.5, "image_size": 16}, {"stream": "on"}])
def test_digits_are_whole_and_in_memory(options):
    with pytest.raises(ValueError, match="are for images in files, not for 'digits'"):
        data.get("digits", **options)
    with pytest.raises(ValueError, match="unknown stream 'of': did you mean 'off'"):
        data.get("digits", stream="of")
