"""Accuracies against plain evaluations in NumPy, for any kind of images, data and classifier."""

import numpy as np
import pytest
import tensorflow as tf

import spatial_keras as sk
from spatial_keras.evaluation import Evaluator
from spatial_keras.evaluation import grid as evaluation_grid
from spatial_keras.training import losses
from tests import evaluation_cases as cases


@pytest.fixture(name="case", scope="module")
def make_case():
    """A classifier, images and labels."""
    classifier, images = cases.network(), cases.images()
    return classifier, images, cases.labels(classifier, images)


def evaluator_of(case, **options):
    return Evaluator(*case, **{"transformations": cases.BOX, "batch_size": 8, **options})


def margins_under(case, parameters):
    classifier, images, labels = case
    return cases.margins(cases.logits(classifier, images, parameters), labels)


def draws(number, seed):
    return np.stack([cases.BOX.sample([seed, draw], [23]) for draw in range(number)])


def test_natural_is_on_untouched_images(case):
    outcome = evaluator_of(case).natural()
    np.testing.assert_array_equal(outcome.right, np.arange(23) % 7 != 0)
    np.testing.assert_allclose(outcome.margins, margins_under(case, np.zeros([23, 3])), atol=1e-4)
    np.testing.assert_array_equal(outcome.predictions == case[2], outcome.right)
    assert outcome.passes == 23 and not outcome.transformations.any() and outcome.seconds > 0


@pytest.mark.parametrize("number", [1, 4])
def test_random_is_the_mean_over_draws(case, number):
    outcome = evaluator_of(case).random(number, seed=3)
    margins = np.stack([margins_under(case, draw) for draw in draws(number, 3)])
    np.testing.assert_allclose(outcome.right, (margins >= 0).mean(axis=0))
    np.testing.assert_allclose(outcome.margins, margins.min(axis=0), atol=1e-4)
    worst = draws(number, 3)[margins.argmin(axis=0), np.arange(23)]
    there = cases.logits(case[0], case[1], worst).argmax(axis=-1)
    np.testing.assert_array_equal(outcome.predictions, there)
    np.testing.assert_allclose(outcome.transformations, worst, atol=1e-5)
    assert outcome.passes == 23 * number
    assert outcome.right.dtype == (bool if number == 1 else float)


@pytest.mark.parametrize("k", [1, 5])
def test_worst_of_k_needs_all_draws_right(case, k):
    outcome = evaluator_of(case).worst_of_k(k, seed=3)
    margins = np.stack([margins_under(case, draw) for draw in draws(k, 3)])
    np.testing.assert_array_equal(outcome.right, (margins >= 0).all(axis=0))
    assert 0 < outcome.right.sum() < 23
    wrong = np.cumsum(margins < 0, axis=0)
    assert outcome.passes == 23 + (wrong[:-1] == 0).sum()  # the broken ones are left out
    np.testing.assert_allclose(
        outcome.margins[outcome.right], margins.min(axis=0)[outcome.right], atol=1e-4
    )


def test_gradient_does_not_depend_on_how_certain_a_classifier_is(case):
    """A hundredfold of the logits are the same predictions, and cross-entropies without a slope."""
    classifier, images, labels = case

    def outcome(factor):
        given = (lambda x: factor * classifier(x), images, labels)
        return evaluator_of(given, outputs="logits").gradient(4, 2, seed=5)

    sharp, sharper = outcome(100.0), outcome(10000.0)
    np.testing.assert_allclose(sharper.transformations, sharp.transformations, atol=1e-5)
    assert not sharper.right.all()


@pytest.mark.parametrize("restarts", [1, 3])
def test_gradient_is_right_where_the_ascents_end(case, restarts):
    evaluator = evaluator_of(case, batch_size=23)
    outcome = evaluator.gradient(4, restarts, seed=5)
    classifier, images, labels = case
    search = sk.GradientSearch(4, cases.BOX)
    right = np.ones(23, bool)
    for start in map(tf.constant, draws(restarts, 5)):
        ends = search.ascend(
            classifier, tf.constant(images, tf.float32), tf.constant(labels),
            losses.get_objective("ce"), start,
        )  # fmt: skip
        right &= margins_under(case, ends) >= 0
    np.testing.assert_array_equal(outcome.right, right)
    assert 0 < right.sum() < 23
    again = evaluator.gradient(4, restarts, seed=5)
    np.testing.assert_array_equal(again.transformations, outcome.transformations)


@pytest.mark.parametrize("batch_size", [1, 8, 64])
@pytest.mark.parametrize("xla", [False, True])
def test_grid_equals_the_exhaustive_evaluation(case, batch_size, xla):
    outcome = evaluator_of(case, batch_size=batch_size, xla=xla).grid((3, 3, 5))
    margins = cases.margin_map(*case, cases.BOX.grid((3, 3, 5)))
    standing = (margins >= 0).all(axis=1)
    assert 0 < standing.sum() < 23  # a case that tells
    np.testing.assert_array_equal(outcome.right, standing)
    worst = cases.BOX.grid((3, 3, 5))[margins.argmin(axis=1)]
    np.testing.assert_array_equal(outcome.transformations[standing], worst[standing])
    assert outcome.passes < outcome.exhaustive == 23 * 45
    # What is said to break an image does.
    broken = margins_under(case, outcome.transformations) < 0
    np.testing.assert_array_equal(broken, ~standing)


@pytest.mark.parametrize("batch_size", [8, 64])
def test_an_image_gets_its_result_whatever_others_there_are(case, tmp_path, batch_size):
    """What is found for some of the images is bit by bit what is found for them among all."""
    classifier, images, labels = case

    def outcomes(chosen):
        evaluator = evaluator_of(
            (classifier, images[chosen], labels[chosen]), batch_size=batch_size, places=chosen
        )
        grid = evaluator.grid((3, 3, 5))
        whole_grid = evaluator.grid_map(tmp_path / str(chosen[0]), (3, 3, 5))
        return [
            evaluator.random(4, 3), evaluator.worst_of_k(5, 3), evaluator.gradient(4, 2, 5), grid,
            whole_grid, evaluator.attack(grid, 3, 10, 1),
        ]  # fmt: skip

    everything = outcomes(np.arange(23))
    for chosen in (np.arange(1, 23, 3), np.array([22, 4])):
        for found, whole in zip(outcomes(chosen), everything):
            np.testing.assert_array_equal(found.right, whole.right[chosen])
            np.testing.assert_array_equal(found.transformations, whole.transformations[chosen])
            np.testing.assert_allclose(found.margins, whole.margins[chosen], atol=1e-4)
            if found.name == "grid":
                np.testing.assert_array_equal(found.damaging, whole.damaging[chosen])


def test_grid_takes_over_natural_passes(case):
    evaluator = evaluator_of(case, batch_size=1)
    alone, after = evaluator.grid((3, 3, 3)), evaluator.grid((3, 3, 3), evaluator.natural())
    np.testing.assert_array_equal(alone.right, after.right)
    assert after.passes == alone.passes - 23


def changed(case, what):
    """Returns an evaluator that differs in one thing, and the grid it is asked for."""
    classifier, images, labels = case
    if what == "classifier":
        classifier = cases.network()
        classifier.layers[-1].bias.assign([0, 0, 0.5])
    elif what == "images":
        images = 255 - images
    elif what == "labels":
        labels = np.zeros_like(labels)
    options = {
        "transformations": {"transformations": sk.TransformationSet(1, 1, 9)},
        "warp": {"warp": sk.SpatialWarp("op", "joint")},
        "input_range": {"input_range": (0, 1)},
    }.get(what, {})
    counts = (3, 3, 5) if what == "counts" else (3, 3, 3)
    return evaluator_of((classifier, images, labels), **options), counts


CHANGES = (
    "nothing", "classifier", "images", "labels", "transformations", "warp", "input_range", "counts",
)  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_killed_evaluation_goes_on_only_as_the_same(case, monkeypatch, tmp_path, what):
    monkeypatch.setattr(evaluation_grid, "_SECONDS_BETWEEN_SAVES", -1)
    evaluator, (other, counts) = evaluator_of(case), changed(case, what)
    files = tmp_path / "new" / "state.npz", tmp_path / "map"
    calls = (
        lambda e, counts, **more: e.grid(counts, partial=files[0], **more),
        lambda e, counts, **more: e.grid_map(files[1], counts, **more),
    )
    for call in calls:
        seen = []

        def kill_second(*_, seen=seen):
            seen.append(1)
            if len(seen) > 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            call(evaluator, (3, 3, 3), on_progress=kill_second)
        if what == "nothing":
            whole = evaluator.grid((3, 3, 3))
            np.testing.assert_array_equal(call(other, counts).right, whole.right)
        else:
            with pytest.raises(ValueError, match="begun with another classifier, other images"):
                call(other, counts)


def test_grid_removes_its_partial_file(case, tmp_path):
    evaluator_of(case).grid((3, 3, 3), partial=tmp_path / "state.npz")
    assert not list(tmp_path.iterdir())


def test_attack_goes_on_from_the_grid(case):
    evaluator = evaluator_of(case)
    outcome = evaluator.grid((1, 1, 3))
    attacked = evaluator.attack(outcome, 3, 10)
    assert (attacked.right <= outcome.right).all()
    assert (attacked.margins <= outcome.margins).all()
    assert (attacked.margins < outcome.margins)[outcome.right].any()
    np.testing.assert_allclose(
        margins_under(case, attacked.transformations), attacked.margins, atol=1e-3
    )
    assert attacked.passes <= outcome.right.sum() * (5 * 4 + 10)


def test_the_map_gives_the_grids_outcome(case, tmp_path):
    evaluator = evaluator_of(case)
    pruned, whole = evaluator.grid((3, 3, 3)), evaluator.grid_map(tmp_path / "map", (3, 3, 3))
    np.testing.assert_array_equal(pruned.right, whole.right)
    np.testing.assert_array_equal(whole.counts, pruned.counts)
    assert whole.passes == whole.exhaustive
    with pytest.raises(ValueError, match="map exists already"):
        evaluator.grid_map(tmp_path / "map", (3, 3, 3))


def test_an_identity_box_is_natural_accuracy(case):
    evaluator = evaluator_of(case, transformations=sk.TransformationSet(0, 0, 0))
    natural = evaluator.natural()
    for outcome in (evaluator.random(), evaluator.worst_of_k(3), evaluator.grid()):
        np.testing.assert_array_equal(outcome.right, natural.right)


def test_the_paper_is_the_default(case):
    outcome = Evaluator(*case).grid()
    assert outcome.exhaustive == 23 * 775
    np.testing.assert_array_equal(np.abs(outcome.damaging).max(axis=(0, 1)), [3, 3, 30])


@pytest.mark.parametrize("batched", [None, 4, 100])
def test_a_tf_data_dataset_equals_arrays(case, batched):
    classifier, images, labels = case
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    dataset = dataset if batched is None else dataset.batch(batched)
    found = Evaluator(classifier, dataset, transformations=cases.BOX)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(
        found.grid((3, 3, 3)).right, evaluator_of(case).grid((3, 3, 3)).right
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_images_of_any_type(case, dtype):
    classifier, images, labels = case
    found = evaluator_of((classifier, images.astype(dtype), labels)).grid((3, 3, 3))
    np.testing.assert_array_equal(found.right, evaluator_of(case).grid((3, 3, 3)).right)


@pytest.mark.parametrize(("size", "channels", "number"), [(9, 3, 5), (28, 1, 3), (8, 2, 1)])
def test_other_shapes(size, channels, number):
    classifier = cases.network(size=size, channels=channels)
    images = cases.images(number, size, channels)
    labels = cases.labels(classifier, images)[:, None]  # as Keras loads them
    found = Evaluator(classifier, images, labels, transformations=cases.BOX).grid((3, 3, 3))
    margins = cases.margin_map(classifier, images, labels[:, 0], cases.BOX.grid((3, 3, 3)))
    np.testing.assert_array_equal(found.right, (margins >= 0).all(axis=1))


def test_probabilities_of_scaled_images_give_the_same_grid(case, tmp_path):
    """The same network in another guise: softmax outputs, images in 0..1, from a file."""
    classifier, images, labels = case
    inputs = tf.keras.Input([12, 12, 1])
    outputs = tf.keras.layers.Softmax()(classifier(tf.keras.layers.Rescaling(255.0)(inputs)))
    tf.keras.Model(inputs, outputs).save(tmp_path / "other.keras")
    other = (tmp_path / "other.keras", images, labels)
    found = evaluator_of(other, input_range=(0, 1))
    assert "gives probabilities" in found.notes[0]
    np.testing.assert_array_equal(
        found.grid((3, 3, 3)).right, evaluator_of(case).grid((3, 3, 3)).right
    )


def test_a_robust_model_is_its_classifier(case):
    classifier, images, labels = case
    model = sk.defenses.get("wo2_kl").build(classifier)
    found = evaluator_of((model, images, labels))
    np.testing.assert_array_equal(found.natural().right, evaluator_of(case).natural().right)


def test_a_classifier_in_16_bits(case):
    _, images, labels = case
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    classifier = cases.network()
    outcome = evaluator_of((classifier, images, labels)).grid((3, 3, 3))
    expected = evaluator_of(case).grid((3, 3, 3))
    np.testing.assert_array_equal(outcome.right, expected.right)
    standing = outcome.margins[outcome.right], expected.margins[expected.right]
    np.testing.assert_allclose(*standing, atol=0.02)
    assert (standing[0] != standing[1]).any() and outcome.margins.dtype == np.float32


def test_weights_that_change_are_seen(case):
    classifier, images, labels = case
    twin = tf.keras.models.clone_model(classifier)
    found = evaluator_of((twin, images, labels))
    twin.set_weights(classifier.get_weights())
    np.testing.assert_array_equal(found.natural().right, np.arange(23) % 7 != 0)
    twin.layers[-1].bias.assign([1e6, 0, 0])
    np.testing.assert_array_equal(found.natural().right, labels == 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.random(0), "number of draws must be at least 1"),
        (lambda e: e.worst_of_k(0), "number of draws must be at least 1"),
        (lambda e: e.gradient(0), "steps must be at least 1"),
        (lambda e: e.gradient(1, 0), "restarts must be at least 1"),
        (lambda e: e.grid((5, 5)), "counts must be 3"),
        (lambda e: e.grid((5, 0, 5)), "points in ty must be at least 1"),
        (lambda e: e.attack(e.grid((1, 1, 3)), 0), "steps must be at least 1"),
        (lambda e: e.attack(e.grid((1, 1, 3)), 1, -1), "refinements must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(case, call, message):
    with pytest.raises(ValueError, match=message):
        call(evaluator_of(case))


def test_options_are_checked(case):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        evaluator_of(case, batch_size=0)
    with pytest.raises(ValueError, match="must be smaller than the image, 12 pixels"):
        evaluator_of(case, transformations=sk.TransformationSet(12, 1, 8))
