"""Evaluations in parts, against the undivided one; and parts that do not go together."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from spatial_keras import evaluation
from spatial_keras.classifiers import loading
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.experiments import evaluate, shards
from tests import evaluation_cases as cases

IMAGES = 17
OPTIONS = {
    "dataset": "digits", "image_size": 8, "limit": IMAGES, "grid_counts": (3, 3, 3),
    "max_translation": 0.25, "max_rotation": 4.0, "batch_size": 4, "draws": 2, "k": 2,
    "gradient_steps": 2, "gradient_restarts": 2, "attack_steps": 2, "attack_refinements": 3,
    "xla": "off", "seed": 3,
}  # fmt: skip


def prepared(model, output, **options):
    config = EvaluateConfig(model=str(model), output=str(output), **{**OPTIONS, **options})
    return evaluate.prepare(config)


def run(model, output, **options):
    return prepared(model, output, **options).run()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A classifier of 8x8 digits, right about some of them."""
    file = tmp_path_factory.mktemp("model") / "some.keras"
    classifier = cases.network(outputs=10, size=8)
    digits = evaluate.image_sets.load(EvaluateConfig(model="-", **OPTIONS))
    pixels = digits.train_images.reshape(-1, 64) / 255
    targets = np.eye(10)[digits.train_labels] - 0.1
    weights = np.linalg.solve(pixels.T @ pixels + 30 * np.eye(64), pixels.T @ targets)
    classifier.set_weights([weights, np.zeros(10)])
    classifier.save(file)
    return file


@pytest.fixture(scope="module")
def parts(model, tmp_path_factory):
    """The three parts of an evaluation with everything, which are not to be changed."""
    folder = tmp_path_factory.mktemp("parts")
    for number in (3, 1, 2):
        report = run(model, folder / "a.json", map=True, shard=f"{number}/3")
        assert len(report.sample.labels) == len(range(number - 1, IMAGES, 3))
    assert [file.name for file in folder.iterdir()] == ["a_parts"]
    return folder


@pytest.fixture(name="folder")
def make_folder(parts, tmp_path):
    return shutil.copytree(parts, tmp_path / "parts")


def results(file):
    """What a file of results says, without what it cost."""
    found = json.loads(file.read_text())
    del found["passes"]
    for measure in found["measures"].values():
        del measure["seconds"], measure["passes"]
    return found


def rows(file):
    with file.open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def check_same(folder, whole):
    """Checks what was merged against the undivided evaluation, image by image."""
    assert results(folder / "a.json") == results(whole / "a.json")
    accuracies = [found["accuracy"] for found in results(whole / "a.json")["measures"].values()]
    assert 0.2 < min(accuracies) < max(accuracies)  # a case that tells
    for found, expected in zip(rows(folder / "a.csv"), rows(whole / "a.csv")):
        margins = [name for name in expected if name.endswith("margin")]
        for name in margins:
            assert float(found.pop(name)) == pytest.approx(float(expected.pop(name)), abs=1e-5)
        assert found == expected


def test_parts_give_what_the_undivided_evaluation_gives(model, folder, tmp_path):
    merged, whole = run(model, folder / "a.json", map=True, merge=True), tmp_path / "whole"
    expected = run(model, whole / "a.json", map=True)
    check_same(folder, whole)
    for name, outcome in expected.outcomes.items():
        found = merged.outcomes[name]
        assert (type(found), found.passes) == (type(outcome), outcome.passes)
        assert found.right.dtype == outcome.right.dtype
    np.testing.assert_array_equal(merged.sample.labels, expected.sample.labels)
    for name in ("grid", "margins", "losses"):
        arrays = (np.load(place / "a_map" / f"{name}.npy") for place in (folder, whole))
        np.testing.assert_allclose(*arrays, atol=1e-5)
    assert {file.name for file in folder.iterdir()} == {"a.json", "a.csv", "a_map"}


def test_parts_of_a_pruned_grid(model, tmp_path):
    options = {"measures": ("natural", "grid", "attack"), "draws": 10, "k": 10}
    options |= {"gradient_steps": 10, "gradient_restarts": 1}
    for number in (1, 2, 3):
        run(model, tmp_path / "a.json", shard=f"{number}/3", **options)
    run(model, tmp_path / "a.json", merge=True, **options)
    run(model, tmp_path / "whole" / "a.json", **options)
    check_same(tmp_path, tmp_path / "whole")


NATURAL = {
    "measures": ("natural",), "draws": 10, "k": 10, "gradient_steps": 10, "gradient_restarts": 1,
    "attack_steps": 10, "attack_refinements": 50, "grid_counts": None, "seed": 0,
}  # fmt: skip


def test_a_part_may_be_all(model, tmp_path):
    run(model, tmp_path / "a.json", shard="1/1", **NATURAL)
    merged = run(model, tmp_path / "a.json", merge=True, **NATURAL)
    expected = run(model, tmp_path / "b.json", **NATURAL).outcomes["natural"]
    np.testing.assert_array_equal(merged.outcomes["natural"].margins, expected.margins)


class KilledError(Exception):
    pass


def test_a_part_that_is_finished_stays(model, folder, monkeypatch):
    monkeypatch.setattr(evaluation.Evaluator, "natural", None)  # must not be asked
    file = part(folder) / "grid.npz"
    expected = file.read_bytes()
    run(model, folder / "a.json", map=True, shard="2/3", resume=True)
    assert file.read_bytes() == expected


def test_a_part_that_was_killed_goes_on(model, folder, monkeypatch):
    def kill(*_):
        raise KilledError

    options = {"map": True, "shard": "2/3"}
    shutil.rmtree(part(folder))
    with monkeypatch.context() as patch:
        patch.setattr(evaluation.Evaluator, "attack", kill)
        with pytest.raises(KilledError):
            run(model, folder / "a.json", **options)
    refused(model, folder, "1 of 3 parts are missing")
    with monkeypatch.context() as patch:
        patch.setattr(evaluation.Evaluator, "grid_map", None)  # must not be asked again
        run(model, folder / "a.json", resume=True, **options)
    assert merge(model, folder)
    assert not list(folder.glob("**/.*"))


def test_two_parts_at_once(model, tmp_path):
    first, second = (
        prepared(model, tmp_path / "a.json", shard=f"{number}/2", **NATURAL) for number in (1, 2)
    )
    second.run(lambda outcome: first.run())  # within the other, as another process does
    assert run(model, tmp_path / "a.json", merge=True, **NATURAL)


def test_the_same_part_twice_at_once_is_refused(model, tmp_path):
    first, second = (prepared(model, tmp_path / "a.json", shard="1/2", **NATURAL) for _ in range(2))
    with pytest.raises(ValueError, match="process .* is at work on"):
        first.run(lambda outcome: second.run())


# Refused.


def merge(model, folder, **options):
    return run(model, folder / "a.json", **{"map": True, "merge": True, **options})


def refused(model, folder, message, **options):
    before = sorted(folder.glob("**/*"))
    with pytest.raises(ValueError, match=message) as error:
        merge(model, folder, **options)
    assert "\n" not in str(error.value)
    assert sorted(folder.glob("**/*")) == before


def part(folder, number=2):
    return folder / "a_parts" / f"part-{number}-of-3"


def test_other_flags_and_missing_parts(model, folder, tmp_path):
    refused(model, folder, r"part-1-of-3 was made with other .*--draws is 2 there, 3 here", draws=3)
    refused(model, folder, "--map is True there, False here", map=False)
    refused(model, folder, "--limit is 17 there, 16 here", limit=16)
    shutil.copytree(part(folder), folder / "a_parts" / "part-2-of-4")
    refused(model, folder, "has parts of 3 and of 4: remove those")
    shutil.rmtree(part(folder))
    shutil.rmtree(folder / "a_parts" / "part-2-of-4")
    refused(model, folder, "1 of 3 parts are missing in .*: start --shard=2/3.$")
    refused(model, tmp_path, "there are no parts in .*a_parts: --shard=1/COUNT")


def test_parts_of_others(model, folder, tmp_path, monkeypatch):
    other = cases.network(outputs=10, size=8)
    other.save(tmp_path / "other.keras")
    refused(tmp_path / "other.keras", folder, "part-1-of-3 is of another classifier.$")
    shutil.rmtree(part(folder))
    shutil.copytree(part(folder, 3), part(folder))
    refused(model, folder, "part-2-of-3 is of another part.$")
    load = evaluate.image_sets.load

    def changed(config):
        found = load(config)
        found.test_images[5, 0, 0] += 1
        return found

    monkeypatch.setattr(evaluate.image_sets, "load", changed)
    refused(model, folder, "part-1-of-3 is of other images.$")


@pytest.mark.parametrize(
    "name", ["settings.json", "natural.npz", "grid.npz", "map/margins.npy", "map/grid.npy"]
)
def test_damaged_parts(model, folder, name):
    file = part(folder) / name
    content = file.read_bytes()
    for damage in (content[: len(content) // 2], b"", None):
        file.unlink() if damage is None else file.write_bytes(damage)
        refused(model, folder, "part-2-of-3 is damaged: start --shard=2/3 again.$")
    for text in ("[]", "3", '{"flags": 3}', '{"flags": {}}') if "settings" in name else ():
        file.write_text(text)
        refused(model, folder, "part-2-of-3 is damaged|made with other flags")


def test_a_part_of_other_images_has_other_numbers(model, folder):
    """Of as many images as another part has, which its name and settings hide."""
    file = part(folder, 3) / "natural.npz"
    shutil.copy(part(folder, 1) / "natural.npz", file)
    refused(model, folder, "part-3-of-3 is damaged")


def test_swapped_parts_and_numbers_that_are_not_finite(model, folder):
    shutil.copy(part(folder, 1) / "grid.npz", part(folder, 2) / "grid.npz")
    refused(model, folder, "part-2-of-3 is damaged")
    with np.load(part(folder, 1) / "grid.npz") as arrays:
        outcome = {**arrays, "margins": np.full_like(arrays["margins"], np.nan)}
    np.savez(part(folder, 1) / "grid.npz", **outcome)
    shards.seal(part(folder, 1))
    refused(model, folder, "part-1-of-3 is damaged")


def test_a_part_that_leads_elsewhere(model, folder):
    part(folder).rename(folder / "elsewhere")
    part(folder).symlink_to(folder / "elsewhere")
    refused(model, folder, "part-2-of-3' is a link: nothing in '.*a_parts' is used")


def test_what_names_no_part_is_refused():
    for text in ["0/8", "9/8", "2", "a/b", "2/0", "-1/8", "1/8/9", "1.0/8", ""]:
        with pytest.raises(ValueError, match=re.escape("--shard must be")) as error:
            EvaluateConfig(run="a", shard=text)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard": "1/2", "merge": True}, "give --shard or --merge, not both"),
        ({"merge": True, "resume": True}, "--resume has no effect with --merge"),
    ],
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        EvaluateConfig(run="a", **options)


@pytest.mark.parametrize("options", [{"shard": "1/2"}, {"merge": True}, {"resume": True}])
def test_parts_are_not_for_the_workers_of_tf_config(model, tmp_path, monkeypatch, options):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(ValueError, match=f"^--{next(iter(options))} is for one process"):
        run(model, tmp_path / "a.json", **options)


def test_more_parts_than_images(model, tmp_path):
    with pytest.raises(ValueError, match="--shard=2/18: there can be 17 parts at most"):
        prepared(model, tmp_path / "a.json", shard="2/18")
    assert not list(tmp_path.iterdir())


def test_what_is_written_says_nothing_of_the_parts(model, folder):
    merge(model, folder)
    found = json.loads((folder / "a.json").read_text())
    assert found["fingerprint"] == loading.fingerprint(evaluation.load(model))
    assert (found["test_images"], found["images"]) == (IMAGES, IMAGES)
    assert not {"shard", "merge"} & {*found["flags"]}
