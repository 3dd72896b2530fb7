"""Lines of runs, against numbers by hand."""

import csv
import io

import pytest

from spatial_keras.results import runs_csv
from spatial_keras.results.run_results import Timing
from tests.made_results import results


def run(defense, seed=0, grid=0.4, **options):
    options = {"images": 500, "natural": 0.9, "random": 0.8, "train_grid": 0.75, **options}
    return results(defense, seed, grid, **options)


def test_a_line_for_each_run():
    runs = [run("wo10_kl", 1), run("wo10_at"), run("wo10_kl", **{"lambda": "4.0"})]
    rows = list(csv.DictReader(io.StringIO(runs_csv.to_csv(runs))))
    assert [row["defense"] for row in rows] == ["wo10_at", "wo10_kl", "wo10_kl"]
    assert [row["lambda"] for row in rows] == ["", "4.0", "8.0"]
    assert rows[2] == {
        "defense": "wo10_kl", "train_images": "1437", "model": "resnet8", "width": "0.25",
        "steps": "800", "lambda": "8.0", "mixed_precision": "none", "seed": "1",
        "natural": "90.00", "random": "80.00", "grid": "40.00", "train_grid": "75.00",
        "test_images": "500", "train_seconds": "12.3", "machine": "x86_64",
    }  # fmt: skip


def test_lines_are_in_the_order_of_numbers_not_of_letters():
    runs = [run("std", 10), run("std", 2), run("std", train_images=500)]
    rows = list(csv.DictReader(io.StringIO(runs_csv.to_csv(runs))))
    assert [(row["train_images"], row["seed"]) for row in rows] == [
        ("500", "0"), ("1437", "2"), ("1437", "10"),
    ]  # fmt: skip


def test_what_is_written_is_read_again(tmp_path):
    runs = [
        run("wo10_kl", 1),
        run("std", train_grid=None, width="1.0"),
        run("wo10_alp", 2, 0.25, timing=Timing()),
    ]
    file = tmp_path / "runs.csv"
    file.write_text(runs_csv.to_csv(runs))
    found = {one.config.defense: one for one in runs_csv.read(file)}
    assert runs_csv.to_csv(found.values()) == file.read_text()
    assert found["wo10_alp"].accuracies.grid == 0.25 and found["std"].config.width == 1
    assert found["wo10_kl"].training_accuracies.grid == 0.75
    assert found["std"].training_accuracies is None
    assert [found[one.config.defense].setting == one.setting for one in runs] == [True] * 3


LINE = runs_csv.to_csv([run("wo10_kl")])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n1,2\n", "columns"),
        ("", "cannot be read"),
        (LINE.split("\n")[0], "columns"),
        ("\xff", "cannot be read"),
        (LINE.replace("800", "eighty"), "eighty"),
        (LINE.replace("40.00", "140.00"), "1.4"),
        (LINE.replace("40.00", "nan"), "nan"),
        (LINE.replace("40.00", ""), "grid"),
        (LINE.replace("0.25", "wide"), "wide"),
        (LINE.replace("8.0", "-8"), "-8"),
        (LINE.replace("wo10_kl", "wo10_lk"), "wo10_lk"),
        (LINE.replace("500", ""), "line 2"),
    ],
)
def test_another_file_is_rejected_in_one_line(tmp_path, text, fault):
    file = tmp_path / "runs.csv"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError) as error:
        runs_csv.read(file)
    assert fault in str(error.value) and str(file) in str(error.value)
    assert "\n" not in str(error.value)
