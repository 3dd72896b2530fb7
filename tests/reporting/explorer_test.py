"""The explorer shows what the Evaluator says: its data, and the page in a real browser."""

import base64
import datetime
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from spatial_keras import SpatialWarp, TransformationSet
from spatial_keras.evaluation import Evaluator
from spatial_keras.reporting import explorer, markup
from tests import browser, small

HOSTILE = '</script><img src="http://x.invalid/a" onerror="alert(1)"><script>alert(1)</script>'
NAMES = (HOSTILE, "b & <b>", "c")
BOX, COUNTS = TransformationSet(2, 1.5, 20), (3, 5, 7)
NUMBERS = np.array([4, 1, 7])
NETWORKS = {HOSTILE: small.network(10, 3), "plain": small.network(10, 3)}
NETWORKS["plain"].layers[-1].set_weights([
    np.random.default_rng(1).normal(size=weight.shape)
    for weight in NETWORKS["plain"].layers[-1].get_weights()
])  # fmt: skip


def evaluators(composition="sequential", fill="black", box=BOX):
    warp = SpatialWarp("op", composition, fill)
    images, labels = small.IMAGES, small.LABELS
    return {
        name: Evaluator(network, images, labels, transformations=box, warp=warp)
        for name, network in NETWORKS.items()
    }


def decoded(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def page(found):
    evaluation = markup.Evaluation("Explored", [], [], [], explorer=found)
    return markup.page("Explored", datetime.datetime(2020, 1, 1), evaluation=evaluation)


def test_the_numbers_are_those_of_the_evaluation(tmp_path):
    found = explorer.explore(evaluators(), NUMBERS, NAMES, COUNTS)
    shape = (len(NUMBERS), np.prod(COUNTS))
    for number, (name, network) in enumerate(NETWORKS.items()):
        said = found.data["classifiers"][number]
        evaluators()[name].grid_map(tmp_path / str(number), COUNTS)
        expected = np.load(tmp_path / str(number) / "margins.npy")[NUMBERS]
        margins = decoded(said["margins"], "<f4").reshape(shape)
        np.testing.assert_allclose(margins, expected, rtol=1e-4, atol=1e-4)
        points = np.load(tmp_path / str(number) / "grid.npy")
        images = np.repeat(small.IMAGES[NUMBERS], len(points), axis=0).astype(np.float32)
        warped = SpatialWarp("gather")(images, np.tile(points, [len(NUMBERS), 1]))
        classes = np.argmax(network(warped), axis=-1).reshape(shape)
        predictions = decoded(said["predictions"], "<u2").reshape(shape)
        assert np.mean(predictions == classes) > 0.99  # but for ties to rounding
        assert said["name"] == name
    assert [image["label"] for image in found.data["images"]] == small.LABELS[NUMBERS].tolist()


def test_only_axes_along_which_something_moves_are_explored():
    found = explorer.explore(evaluators(box=TransformationSet(0, 1, 10)), NUMBERS, NAMES)
    assert [axis["name"] for axis in found.data["axes"]] == ["ty", "rotation"]
    assert [len(axis["matrices"]) for axis in found.data["axes"]] == [5, 31]
    assert explorer.explore(evaluators(box=TransformationSet(0, 0, 0)), NUMBERS, NAMES) is None


def test_the_page_says_which_axes_are_not_explored():
    wide = TransformationSet(1, 1, 10, 1.2, max_yaw=5, flip=True)
    found = explorer.explore(evaluators(box=wide), NUMBERS, NAMES, (1, 3, 3, 3, 3, 2))
    assert [axis["name"] for axis in found.data["axes"]] == ["ty", "rotation", "zoom"]
    assert "Not explored, and without effect here: tx, yaw and flip." in page(found)
    assert "Not explored" not in page(explorer.explore(evaluators(), NUMBERS, NAMES))


def test_the_page_does_not_show_crops_as_something_else():
    assert explorer.explore(evaluators(fill="crop"), NUMBERS, NAMES) is None


def test_twelve_photos_take_less_than_2_mb():
    photos = np.random.default_rng(0).integers(0, 256, [12, 300, 240, 3]).astype(np.uint8)
    one = Evaluator(
        lambda images: tf.one_hot(tf.zeros(len(images), tf.int32), 1000), photos, np.arange(12),
        transformations=TransformationSet(30, 30, 30), outputs="logits",
    )  # fmt: skip
    names = [f"class {i}" for i in range(1000)]
    found = explorer.explore({"a": one, "b": one}, np.arange(12), names, (1, 1, 3))
    assert (found.data["height"], found.data["width"]) == (256, 205)
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in found.pictures)
    of_more_points = 2 * (775 - 3) * 12 * (4 + 2) * 4 / 3
    assert len(page(found)) + of_more_points < 2_000_000


@pytest.fixture(name="chromium", scope="module")
def open_browser(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def set_sliders(chromium, places):
    """Drags the sliders to the points of these numbers along the axes."""
    chromium.run(
        "document.querySelectorAll('input[type=range]').forEach((slider, i) => { slider.value = "
        f"{json.dumps(places)}[i]; slider.dispatchEvent(new Event('input')); }})"
    )


def shown(chromium):
    """What each panel says, and the pixels of the turned image once it is drawn."""
    verdicts = chromium.run("[...document.querySelectorAll('.verdict')].map(e => e.textContent)")
    pixels = chromium.run(
        "(async () => { await new Promise(requestAnimationFrame); "
        "await new Promise(done => setTimeout(done, 50)); "
        "const canvas = document.querySelector('.turned'); const { data } = "
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); "
        "return [...data].filter((_, i) => i % 4 === 0); })()"
    )
    return verdicts, np.reshape(pixels, small.IMAGES.shape[1:3])


@pytest.mark.parametrize(
    ("composition", "fill"),
    [("sequential", "black"), ("sequential", "reflect"), ("joint", "nearest")],
)
def test_a_browser_shows_what_the_evaluator_says(chromium, tmp_path, composition, fill):
    found = evaluators(composition, fill)
    file = tmp_path / "page.html"
    file.write_text(page(explorer.explore(found, NUMBERS, NAMES, COUNTS)), encoding="utf-8")
    chromium.open(file)

    def check(image, places):
        values = [axis.grid(count)[place] for axis, count, place in zip(BOX.axes, COUNTS, places)]
        number, parameters = NUMBERS[[image]], np.array([values], np.float32)
        verdicts, pixels = shown(chromium)
        for text, evaluator in zip(verdicts, found.values()):
            said = evaluator.judge(number, parameters)
            mark, margin = re.fullmatch(r"(?s).* ([✓✗]), margin (-?\d+\.\d{3})", text).groups()
            assert float(margin) == pytest.approx(said.margins[0], abs=2e-3)
            assert text.startswith(f"{NAMES[said.predictions[0]]} ")
            assert mark == ("✓" if said.right[0] else "✗")
        warped = next(iter(found.values())).warp(
            small.IMAGES[number].astype(np.float32), parameters
        )
        np.testing.assert_allclose(pixels, warped[0, ..., 0], atol=0.6)

    check(0, (1, 2, 3))
    set_sliders(chromium, [2, 0, 6])
    check(0, (2, 0, 6))
    chromium.run("document.querySelectorAll('.choices button')[2].click()")
    chromium.run("document.querySelectorAll('input[type=range]')[2].focus()")
    chromium.press("ArrowLeft")
    check(2, (2, 0, 5))
    chromium.run("document.querySelector('.map').focus()")
    chromium.press("ArrowDown")  # the next point of the axes that go down
    check(2, (2, 1, 5))
    margins = found["plain"].judge(
        np.full(np.prod(COUNTS), NUMBERS[2]), BOX.grid(COUNTS)
    ).margins  # fmt: skip
    chromium.run("document.querySelectorAll('.worst')[1].click()")
    check(2, np.unravel_index(np.argmin(margins), COUNTS))
    titles = chromium.run("[...document.querySelectorAll('.panel code')].map(e => e.textContent)")
    assert titles == [*found]
    assert chromium.problems == []
