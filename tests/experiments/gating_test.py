"""What passes, and the files that say so."""

import numpy as np
import pytest

from spatial_keras import TransformationSet
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.evaluation import Outcome, Report, Sample
from spatial_keras.experiments import gating
from spatial_keras.results.paired import Difference

SAMPLE = Sample(
    np.array([0, 1]), ("a|b", "<script>"), ["x.png", "y_1.png"], (8, 8), TransformationSet()
)


def outcome(name, right):
    right = np.array(right)
    margins = np.where(right, 1.0, -1.0)
    transformations = np.full([2, 3], 3.0 if name == "grid" else 0)
    predictions = np.where(right, SAMPLE.labels, 1 - SAMPLE.labels)
    return Outcome(name, right, transformations, margins, predictions, 2, 0, "", SAMPLE)


REPORT = Report([outcome("natural", [True, True]), outcome("grid", [True, False])])
WORSE = Difference("natural", 1.0, 0.9, -0.2, 0.0, ["x.png"], [], 0.5)


@pytest.mark.parametrize(
    ("flags", "differences", "failing"),
    [
        ({}, (), []),
        ({"fail_under": ("grid:0.5",)}, (), []),
        ({"fail_under": ("grid:0.5",), "fail_under_interval": True}, (), ["grid"]),
        ({"fail_under": ("grid:0.6",), "compare": "a.json"}, (WORSE,), ["grid", "natural"]),
        ({"compare": "a.json", "tolerance": 0.1}, (WORSE,), []),
    ],
)
def test_what_falls_short_or_is_worse_fails(flags, differences, failing):
    passing = gating.Passing(EvaluateConfig(run="a", **flags), "a", REPORT, differences)
    assert list(passing.failures) == failing
    assert all("\n" not in line for line in passing.failures.values())


def test_files_are_written(tmp_path):
    config = EvaluateConfig(
        run="a", fail_under=("grid:60%",), junit=str(tmp_path / "new" / "a.xml"),
        markdown=str(tmp_path / "a.md"),
    )  # fmt: skip
    gating.Passing(config, "a_b", REPORT, (WORSE,)).write()
    assert (tmp_path / "new" / "a.xml").read_text().count("<testcase") == 2
    lines = (tmp_path / "a.md").read_text().splitlines()
    assert lines[0] == r"### a\_b" and lines[2].startswith("100% (34 to 100) right as they are")
    assert "| grid | 50.0% (9.5 to 90.5) | 60.0% | falls short |" in lines
    assert r"| a\|b | 1 | 100% | 100% |" in lines and "| &lt;script> | 1 | 100% | 0% |" in lines
    assert lines[-1].startswith(r"- image y\_1.png, of class &lt;script>, is taken for a\|b under")
