"""Lines of runs, and pairs by seed, against numbers by hand."""

import csv
import io

import numpy as np
import pytest
from scipy import stats

from spatial_keras.experiments import runs_csv


def results(defense, seed=0, grid=0.4, number=1000, steps=80, **flags):
    return {
        "accuracies": {"natural": 0.9, "random": 0.8, "grid": grid},
        "training_accuracies": {"natural": 1.0, "grid": 0.75},
        "timing": {"train_seconds": 12.345},
        "steps": steps,
        "train_images": number,
        "test_images": 500,
        "flags": {
            "defense": defense, "model": "resnet8", "width": "0.5", "seed": str(seed), **flags,
        },
    }  # fmt: skip


def test_a_line_for_each_run():
    runs = [results("wo10_kl", 1), results("wo10_at"), results("wo10_kl", **{"lambda": "4.0"})]
    rows = list(csv.DictReader(io.StringIO(runs_csv.to_csv(runs))))
    assert [row["defense"] for row in rows] == ["wo10_at", "wo10_kl", "wo10_kl"]
    assert [row["lambda"] for row in rows] == ["", "4.0", "8.0"]
    assert rows[2] == {
        "defense": "wo10_kl", "train_images": "1000", "model": "resnet8", "width": "0.5",
        "steps": "80", "lambda": "8.0", "seed": "1", "natural": "90.00", "random": "80.00",
        "grid": "40.00", "train_grid": "75.00", "test_images": "500", "train_seconds": "12.3",
    }  # fmt: skip


def test_what_an_older_run_does_not_say_is_the_default_or_left_out():
    old = results("std", train_images="500")
    del old["flags"]["width"]
    for name in ("train_images", "training_accuracies"):
        del old[name]
    del old["timing"]["train_seconds"]
    (row,) = csv.DictReader(io.StringIO(runs_csv.to_csv([old])))
    assert (row["train_images"], row["train_grid"], row["train_seconds"]) == ("500", "", "")
    assert row["width"] == "1.0"


def test_the_reduction_is_of_pairs():
    at, kl = [0.2, 0.3, 0.25], [0.4, 0.4, 0.3]
    runs = [results("wo10_at", seed, grid) for seed, grid in enumerate(at)]
    runs += [results("wo10_kl", seed, grid) for seed, grid in enumerate(kl)]
    runs += [results("wo10_kl", 7, 0.9), results("wo10_at", 0, 0.5, steps=90), results("std")]
    found, other = runs_csv.reductions(runs, "wo10_at", "wo10_kl")
    assert (found.baseline.steps, other.baseline.steps, other.seeds) == (80, 90, (0,))
    np.testing.assert_allclose(other.mean, -20)
    relative = 100 * np.array([0.2 / 0.8, 0.1 / 0.7, 0.05 / 0.75])
    assert found.seeds == (0, 1, 2) and found.baseline.train_images == 1000
    np.testing.assert_allclose(found.difference, 100 * 0.35 / 3)
    np.testing.assert_allclose(found.mean, relative.mean())
    half = stats.t.ppf(0.975, 2) * relative.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(
        [found.low, found.high], [relative.mean() - half, relative.mean() + half]
    )


@pytest.mark.parametrize("kl", [0.5, 0.3])
def test_numbers_of_images_are_apart(kl):
    runs = [
        results(name, 0, grid, number)
        for number in (2500, 500)
        for name, grid in (("wo10_at", 0.4), ("wo10_kl", kl))
    ]
    first, second = runs_csv.reductions(runs, "wo10_at", "wo10_kl")
    assert (first.baseline.train_images, second.baseline.train_images) == (500, 2500)
    np.testing.assert_allclose(first.mean, 100 * (kl - 0.4) / 0.6)
    assert first.low is None and first.high is None
    assert runs_csv.reductions(runs, "wo10_at", "wo10_alp") == []


def test_only_runs_of_one_network_are_compared():
    runs = [results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4, width="1.0")]
    assert runs_csv.reductions(runs, "wo10_at", "wo10_kl") == []
    runs += [results("wo10_kl", 0, 0.6), results("wo10_at", 0, 0.25, width="1.0")]
    half, whole = runs_csv.reductions(runs, "wo10_at", "wo10_kl")
    assert (half.baseline.width, whole.defense.width) == (0.5, 1.0)
    np.testing.assert_allclose([half.mean, whole.mean], [50, 20])


def test_settings_of_the_defense_are_apart():
    runs = [results("wo10_at", 0, 0.2), results("wo10_kl", 0, 0.4), results("std")]
    runs += [results("wo10_kl", 0, 0.6, steps=200), results("wo10_kl", 0, 0.8, **{"lambda": "16"})]
    found = runs_csv.reductions(runs, "wo10_at", "wo10_kl")
    assert [(one.defense.steps, one.defense.weight, round(one.mean)) for one in found] == [
        (80, 8, 25), (80, 16, 75), (200, 8, 50),
    ]  # fmt: skip


def test_what_is_written_is_read_again(tmp_path):
    runs = [results("wo10_kl", 1), results("std", width="1.0"), results("wo10_alp", 2, 0.25)]
    del runs[1]["training_accuracies"]
    file = tmp_path / "runs.csv"
    file.write_text(runs_csv.to_csv(runs))
    found = runs_csv.read(file)
    assert runs_csv.to_csv(found) == file.read_text()
    alp, kl = (one for one in found if one["flags"]["defense"].startswith("wo10"))
    assert alp["accuracies"]["grid"] == 0.25 and alp["steps"] == 80
    assert kl["training_accuracies"] == {"grid": 0.75} and kl["flags"]["seed"] == "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "is no CSV file of runs"),
        ("\0\xff", "is no CSV file of runs"),
        (runs_csv.to_csv([results("std")]).replace("80", "eighty"), "is no CSV file of runs"),
        (runs_csv.to_csv([results("std")]).replace("40.00", "140.00"), "accuracy of 1.4"),
        (runs_csv.to_csv([results("std")]).replace("40.00", "nan"), "accuracy of nan"),
        (runs_csv.to_csv([results("std")]).replace("40.00", ""), "have no grid accuracy"),
        (runs_csv.to_csv([results("std")]).replace("0.5", "wide"), "other flags than a run: "),
        (runs_csv.to_csv([results("wo10_kl")]).replace("8.0", "-8"), "other flags than a run: "),
        (runs_csv.to_csv([results("std")]).replace("std", "stdd"), "unknown defense 'stdd'"),
    ],
)
def test_another_file_is_rejected_in_one_line(tmp_path, text, message):
    file = tmp_path / "runs.csv"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message) as error:
        runs_csv.read(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)
