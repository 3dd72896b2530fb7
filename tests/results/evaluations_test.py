"""What evaluate wrote is read back; what it cannot have written is refused in one line."""

import json

import numpy as np
import pytest

from spatial_keras.results import evaluations

FOUND = {
    "classifier": "a.keras", "fingerprint": "0", "dataset": "digits", "verdict": "x", "notes": [],
    "measures": {name: {"accuracy": 0.5, "low": 0.1, "high": 0.9} for name in ("natural", "grid")},
    "per_class": {}, "flags": {}, "pixels": "0", "transformations": "shifts",
}  # fmt: skip
CSV = (
    "image,name,label,survives,tx,rotation,size,margin,natural_right,grid_right\n"
    "1,b,d,0,0,0,0,-2,0,0\n0,a,c,0,-1.5,30,1,-1,1,0\n2,x,d,1,,,,2,1,1\n"
)


def write(folder, found=FOUND, csv=CSV):
    (folder / "a.json").write_text(found if isinstance(found, str) else json.dumps(found))
    (folder / "a.csv").write_text(csv)
    return folder / "a.json"


def test_an_evaluation_is_read_back(tmp_path):
    read = evaluations.read(write(tmp_path))
    assert read.labels == ("c", "d", "d") and read.run is None
    assert {k: v.tolist() for k, v in read.right.items()} == {
        "natural": [1, 0, 1], "grid": [0, 0, 1],
    }  # fmt: skip
    np.testing.assert_array_equal(read.smallest["tx"], [-1.5, 0, np.nan])
    np.testing.assert_array_equal(read.smallest["rotation"], [30, 0, np.nan])


@pytest.mark.parametrize(
    ("found", "csv", "reason"),
    [
        ("{", CSV, "Expecting"),
        ("[]", CSV, "no 'classifier' of type str"),
        ({**FOUND, "measures": {"grid": {"accuracy": 1}}}, CSV, "'grid' has no accuracy"),
        (FOUND, CSV.replace("-1.5", "far"), "far"),
        (FOUND, CSV.replace("grid_right", "x"), "grid_right"),
    ],
)
def test_what_evaluate_cannot_have_written_is_refused(tmp_path, found, csv, reason):
    with pytest.raises(ValueError, match=rf"^evaluation '.*a.json' cannot be read .*{reason}"):
        evaluations.read(write(tmp_path, found, csv))
