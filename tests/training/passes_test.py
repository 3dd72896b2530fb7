"""Passes of the network, against those that a step in eager mode makes, and against the page's."""

import pytest
import tensorflow as tf

from spatial_keras import TransformationSet
from spatial_keras.training import defenses, passes
from tests.robust_models import Recorder

NAMES = (
    "std", "std_star", "wo10_at", "wo3_at_mix", "wo10_kl", "wo1_kl", "wo2_kl_mix", "wo2_l2",
    "wo2_alp_nat", "grid_at", "grid_kl", "pgd3_at", "pgd3_kl", "pgd2_l2_mix",
)  # fmt: skip
GRID = (2, 1, 3)
BATCH = 4


def row(name):
    return defenses.get(name).with_options({"grid_counts": GRID})


def images_seen(name, **options):
    """How many images of one training step go through the network, for an image of the batch."""
    sizes = []
    inputs = tf.keras.Input([6, 6, 1])
    x = Recorder(lambda call: sizes.append(len(call[0])))(inputs)
    outputs = tf.keras.layers.Dense(3)(tf.keras.layers.Flatten()(x))
    model = row(name).build(tf.keras.Model(inputs, outputs), TransformationSet(1, 1, 30), **options)
    model.compile(tf.keras.optimizers.SGD(0.1), run_eagerly=True, jit_compile=False)
    sizes.clear()
    images = tf.random.stateless_uniform([BATCH, 6, 6, 1], [0, 0], 0, 255)
    model.train_step((images, tf.constant([0, 1, 2, 0])))
    return sum(sizes) / BATCH


def backwards(name):
    """The passes backwards: two for each image of the gradient, one for each step of S-PGD."""
    defense = defenses.get(name)
    searches = (defense.search is not None) + (defense.cross_entropy_objective is not None)
    natural = defense.cross_entropy != "worst" or defense.regularizer is not None
    steps = getattr(defense.search, "steps", 0)
    return 2 * (searches + natural) + searches * steps


@pytest.mark.parametrize("name", NAMES)
def test_a_step_makes_as_many_passes(name):
    assert passes.of_step(row(name)) == images_seen(name) + backwards(name)


def test_a_step_before_the_search_begins_makes_those_of_its_gradient():
    found = passes.of_step(defenses.get("wo10_kl"), searches=False)
    assert found == 6 == images_seen("wo10_kl", search_from=1) + 4


def test_passes_of_the_papers_rows_by_hand():
    by_name = {name: passes.of_step(defenses.get(name)) for name in NAMES}
    assert by_name["std"] == by_name["std_star"] == 3
    assert by_name["wo10_at"] == 10 + 3 and by_name["wo10_kl"] == 11 + 6
    assert by_name["grid_kl"] == 776 + 6 and by_name["pgd3_kl"] == 7 + 6


def test_a_late_search_saves_passes():
    assert passes.of_training(defenses.get("wo10_kl"), 10, search_from=6) == 6 * 6 + 4 * 17
