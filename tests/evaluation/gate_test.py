"""Gates, and JUnit's file as another reader reads it."""

from xml.etree import ElementTree

import pytest

from spatial_keras.evaluation import gate

MEASURES = {
    "natural": {"accuracy": 0.96, "low": 0.93, "high": 0.98},
    "grid": {"accuracy": 0.8, "low": 0.75, "high": 0.84},
}


@pytest.mark.parametrize(
    ("least", "by_interval", "failures"),
    [
        ({}, False, []),
        ({"grid": 0.8, "natural": 0.96}, False, []),
        ({"grid": 0.81}, False, ["grid: 80.0% (75.0 to 84.0), below 81.0%"]),
        (
            {"grid": 0.8, "natural": 0.93},
            True,
            ["grid: 80.0% (75.0 to 84.0), its interval reaches below 80.0%"],
        ),
    ],
)
def test_what_falls_short_says_by_how_much(least, by_interval, failures):
    found = gate.gates(MEASURES, least, by_interval)
    assert [one.measure for one in found] == list(MEASURES)
    assert [one.failure for one in found if one.failure] == failures


def test_junit_has_a_case_for_each_measure():
    found = gate.gates(MEASURES, {"grid": 0.9})
    text = gate.junit(found, 'a<b>"&\x1b', {"grid": found[1].failure}, "96% right.")
    root = ElementTree.fromstring(text)
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuite", "2", "1")
    assert root.get("name").startswith('a<b>"&') and "\x1b" not in root.get("name")
    natural, grid = root.findall("testcase")
    assert (natural.get("name"), natural.find("failure")) == ("natural", None)
    assert grid.find("failure").get("message") == "grid: 80.0% (75.0 to 84.0), below 90.0%"
    assert root.find("system-out").text == "96% right."
