"""The images that a step is taken on: shifted, drawn, and found by the search."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp
from tests import search_oracles as oracles
from tests.keras_state import optimizer_variables
from tests.robust_models import (
    BATCH,
    BOX,
    RecordedSearch,
    Recorder,
    build,
    compiled,
    evaluate,
    fit,
    images,
    labels,
)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", ["wo5_kl", "wo5_kl_mix", "wo5_at"])
def test_before_search_from_a_step_is_that_of_one_random_draw(name, xla):
    """Steps 0 and 1 are those of k = 1, step 2 is that of k = 5."""
    searched, drawn = [
        compiled(
            build(name.replace("5", k), warp=SpatialWarp("gather"), xla=xla, search_from=2 * grows),
            run_eagerly=False,
        )
        for k, grows in (("5", True), ("1", False))
    ]
    for steps in (1, 1):
        fit(searched, steps), fit(drawn, steps)
        for one, other in zip(searched.classifier.get_weights(), drawn.classifier.get_weights()):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    full = compiled(build(name, warp=SpatialWarp("gather"), xla=xla), run_eagerly=False)
    full.classifier.set_weights(searched.classifier.get_weights())
    full.optimizer.build(full.classifier.trainable_variables)
    for one, other in zip(*map(optimizer_variables, (full.optimizer, searched.optimizer))):
        one.assign(other)
    full.train_steps.assign(2)
    fit(searched), fit(full)
    for one, other in zip(searched.classifier.get_weights(), full.classifier.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_evaluation_searches_from_the_first_step_on():
    late, always = (evaluate(compiled(build("wo5_kl", search_from=n))) for n in (100, 0))
    assert late == always


def test_the_step_trains_on_what_the_search_finds():
    seen, search = [], RecordedSearch(5, BOX)
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = compiled(build("wo5_kl_mix", classifier, search=search))
    mean, kernel = classifier.get_layer("norm").get_weights()[2], oracles.weights_of(classifier)
    fit(model)

    original, twin = images().astype(np.float32), oracles.classifier()
    assert [objective for objective, _, _ in search.record] == ["kl", "ce"]
    assert np.any(search.record[0][1] != search.record[1][1])
    expected = [original]
    for objective, seed, found in search.record:
        candidates = np.array(BOX.sample(seed, [BATCH, 5]))
        by_loop = oracles.worst_by_loop(
            tf.function(twin), tf.function(search.warp), original, labels(), candidates, objective
        )
        np.testing.assert_array_equal(found, by_loop)
        expected.append(np.array(search.warp(original, found)))
    # The natural images for kl, twice all candidates, and the training step.
    passes = [(BATCH, False), (5 * BATCH, False), (5 * BATCH, False), (3 * BATCH, True)]
    assert [(len(batch), training) for batch, training in seen] == passes
    np.testing.assert_array_equal(seen[-1][0], np.concatenate(expected))

    # BatchNorm's moving mean has seen the training batch, and that alone.
    windows = np.lib.stride_tricks.sliding_window_view(seen[-1][0] / 255.0, (3, 3), axis=(1, 2))
    convolved = np.einsum("bhwcij,ijco->bhwo", windows[:, ::2, ::2], kernel[0]) + kernel[1]
    new_mean = classifier.get_layer("norm").get_weights()[2]
    np.testing.assert_allclose(new_mean, 0.9 * mean + 0.1 * convolved.mean((0, 1, 2)), atol=1e-5)


def test_every_step_draws_anew():
    search = RecordedSearch(1, BOX)
    fit(compiled(build("std_star", search=search)), steps=3)
    draws = np.stack([found for _, _, found in search.record])
    assert len(np.unique(draws)) == draws.size


def test_std_shifts_by_whole_pixels_in_training_only():
    seen = []
    classifier = oracles.classifier(before=[Recorder(seen.append)])
    model = compiled(build("std", classifier))
    fit(model, steps=3, count=16)
    shifts = []
    for batch, training in seen:
        assert training
        for original, shifted in zip(images(16), batch):
            padded = np.pad(original, [(4, 4), (4, 4), (0, 0)])
            fits = [
                (4 - x, 4 - y)
                for x in range(9)
                for y in range(9)
                if np.allclose(padded[y : y + 12, x : x + 12], shifted, atol=1e-3)
            ]
            assert len(fits) == 1
            shifts += fits
    assert {abs(x) for x, _ in shifts} == {abs(y) for _, y in shifts} == {0, 1, 2, 3, 4}
    assert len(set(shifts[:16])) > 8

    seen.clear()
    evaluate(model)
    model.predict(images(), verbose=0)
    for batch, training in seen:
        assert not training
        np.testing.assert_array_equal(batch, images())


class SeeingSearch(RecordedSearch):
    """Notes the images that it is given, too."""

    def __init__(self):
        super().__init__(1, BOX)
        self.images = []

    def __call__(self, classifier, images, labels, objective, seed):
        self.images.append(np.array(images))
        return super().__call__(classifier, images, labels, objective, seed)


def test_a_search_starts_from_the_shifted_images():
    seen, search = [], SeeingSearch()
    model = build("wo1_kl", oracles.classifier(before=[Recorder(seen.append)]), search=search)
    model.shift = 3
    fit(compiled(model))
    ((batch, _),) = seen
    np.testing.assert_array_equal(search.images[0], batch[:BATCH])
    assert np.any(batch[:BATCH] != images())
    worst = search.warp(batch[:BATCH], search.record[0][2])
    np.testing.assert_array_equal(batch[BATCH:], worst)


def test_every_batch_of_an_evaluation_has_draws_of_its_own():
    search = RecordedSearch(1, BOX)
    model = compiled(build("wo1_kl", search=search))
    for _ in range(2):
        evaluate(model, 2 * BATCH, batch_size=BATCH)
    draws = [found for _, _, found in search.record]
    assert np.all(np.any(draws[0] != draws[1], axis=1))
    np.testing.assert_array_equal(draws[:2], draws[2:])
