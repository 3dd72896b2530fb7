"""The classifiers of the zoo do what their cards say; changed files are refused."""

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import data, models, zoo
from spatial_keras.zoo import classifiers
from spatial_keras.zoo.cards import Card

NETWORK = {"name": "resnet8", "num_classes": 3, "input_shape": [8, 8, 1], "width": 0.125}


@pytest.fixture(name="own_zoo")
def make_own_zoo(tmp_path, monkeypatch):
    """A zoo of one classifier, and that as it was before it was packed."""
    monkeypatch.setattr(classifiers, "FOLDER", tmp_path)
    tf.keras.utils.set_random_seed(0)
    network = models.get(**NETWORK)
    classifiers.pack(network, Card("small", network=NETWORK))
    return network


# The images of the others are not at hand in tests.
@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith("digits_")])
def test_natural_accuracy_is_that_of_the_card(name):
    card, digits = zoo.card(name), data.get("digits")
    logits = zoo.load(name)(digits.test_images.astype(np.float32), training=False)
    right = np.argmax(logits, axis=-1) == digits.test_labels
    measure = card.measures["natural"]
    assert len(right) == measure["images"]
    # Another TensorFlow rounds otherwise: one image may lie that close to the border.
    assert np.mean(right) == pytest.approx(measure["accuracy"], abs=1.5 / len(right))


def test_all_cards_are_complete_and_all_weights_are_small():
    files = list(classifiers.FOLDER.iterdir())
    assert sum(file.stat().st_size for file in files) <= 8 * 2**20
    assert {file.stem for file in files} == {*zoo.names()} and len(files) == 2 * len(zoo.names())
    for name in zoo.names():
        card = zoo.card(name)
        assert card.name == name and all(vars(card).values())
        assert {"natural", "random", "grid", "attack"} <= card.measures.keys()
        assert zoo.load(name).output_shape == (None, card.network["num_classes"])
        assert card.data["licence"] and card.training["command"].startswith("spatial-keras train ")


def test_a_packed_network_is_the_same_to_16_bits(own_zoo):
    found = zoo.load("small")
    for weight, packed in zip(own_zoo.get_weights(), found.get_weights()):
        np.testing.assert_allclose(packed, weight, rtol=2**-11, atol=1e-7)
        assert packed.dtype == np.float32


def test_weights_that_are_not_those_of_the_card_are_refused(own_zoo, tmp_path):
    content = bytearray((tmp_path / "small.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "small.npz").write_bytes(content)
    with pytest.raises(ValueError, match="weights of 'small' have the SHA-256 .* Install the pack"):
        zoo.load("small")


def test_weights_beyond_16_bits_are_refused(own_zoo):
    own_zoo.set_weights([1e6 * np.ones_like(weight) for weight in own_zoo.get_weights()])
    with pytest.raises(ValueError, match="too large for 16 bits"):
        zoo.pack(own_zoo, Card("large"))
    assert zoo.names() == ("small",)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="did you mean 'digits_resnet8_wo10_kl'"):
        zoo.load("digits_resnet_wo10_kl")
