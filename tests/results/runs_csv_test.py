"""Lines of runs, against numbers by hand."""

import csv
import io

import pytest

from spatial_keras.results import runs_csv


def results(defense, seed=0, grid=0.4, number=1000, steps=80, natural=0.9, **flags):
    return {
        "accuracies": {"natural": natural, "random": 0.8, "grid": grid},
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
