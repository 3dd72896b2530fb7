"""The README's code runs as it is, it is short, and what it names is there."""

import pathlib
import re

import pytest

from spatial_keras.training import defenses

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# "Make it robust" and "How robust is my model?", blank lines not counted.
LINES_OF_PYTHON = (10, 5)
TABLE = re.search(r"^\| name \| in the paper .*\n((?:\|.*\n)+)", README, re.MULTILINE)[1]


def python_examples():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_it_is_short():
    assert len(README.splitlines()) <= 130
    found = [len([line for line in code.splitlines() if line]) for code in python_examples()]
    assert len(found) == 2
    assert all(lines <= limit for lines, limit in zip(found, LINES_OF_PYTHON))


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_it_robust, how_robust = python_examples()
    exec(compile(make_it_robust, "README.md", "exec"), {})
    assert "worst_accuracy" in capsys.readouterr().out
    exec(compile(how_robust, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["natural", "grid"]


def test_the_import_that_turns_onednn_on_comes_first():
    assert all(code.startswith("import spatial_keras as sk\n") for code in python_examples())


def defense_names():
    """Every name of the table; a suffix such as `_nat` belongs to the name at the row's front."""
    for row in TABLE.splitlines()[1:]:
        first, *suffixes = re.findall(r"`(\w+)`", row.split("|")[1])
        yield from [first, *(first + suffix for suffix in suffixes)]


def test_the_table_names_all_defenses():
    names = [*defense_names()]
    assert [defenses.get(name).name for name in names] == names
    assert len({*names}) == 17


def test_links_flagfiles_and_make_targets_exist():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    flagfiles = re.findall(r"--flagfile=(flags/[\w./]+)", README)
    assert len(links) > 10 and flagfiles
    assert [name for name in links + flagfiles if not (ROOT / name).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"\bmake ([a-z-]+)\b", " ".join(re.findall(r"`+[^`]+`+", README)))
    assert {"train", "test", "docs"} <= {*targets}
    assert [target for target in targets if f"\n{target}: " not in makefile] == []
