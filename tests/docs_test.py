"""The pages in docs/: their code runs, the site has them all, and no flag is left out."""

import importlib.util
import json
import pathlib
import pkgutil
import re
import sys

import pytest

import spatial_keras
from spatial_keras import commands
from spatial_keras.configuration import options
from tests import script_calls

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
SITE = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
LONGEST_EXAMPLE = 30
# What a page has too much of for a test -> how much of it is enough.
SHORTER = {
    "epochs, finetuning_epochs = 5, 10": "epochs, finetuning_epochs = 2, 1",
    "EPOCHS, BATCH_SIZE = 40, 64": "EPOCHS, BATCH_SIZE = 3, 64",
    "test_images[:200], digits.test_labels[:200]": "test_images[:60], digits.test_labels[:60]",
}


def named(page):
    return str(page.relative_to(DOCS))


def python_of(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Code.


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page)], ids=named)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in python_of(page):
        exec(compile(shortened(block), str(page), "exec"), names)


def shortened(code):
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    return code


def test_what_is_shortened_is_there():
    code = "".join([*(block for page in PAGES for block in python_of(page)), tutorial()])
    assert all(long in code for long in SHORTER)


def test_an_extension_is_short():
    blocks = python_of(DOCS / "extend.md")
    kinds = (
        "(sk.Search)",
        "(tf.keras.losses.Loss)",
        "register_method(",
        "return tf.keras.Model(",
    )
    assert all(any(kind in block for block in blocks) for kind in kinds)
    assert max(len(block.splitlines()) for block in blocks) < LONGEST_EXAMPLE


def notebook_cells():
    notebook = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tutorial():
    lines = [line for cell in notebook_cells() for line in [*cell["source"], "\n"]]
    return "".join(line for line in lines if not line.startswith("%"))


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path):
    script = tmp_path / "tutorial.py"
    script.write_text(shortened(tutorial()))
    found = script_calls.finish([sys.executable, str(script)], MPLBACKEND="agg")
    assert found.returncode == 0, found.stderr
    assert re.search(r"^grid: \d", found.stdout, re.MULTILINE)


def test_the_tutorial_has_its_outputs():
    assert [cell["execution_count"] for cell in notebook_cells()] == list(
        range(1, len(notebook_cells()) + 1)
    )
    outputs = [output for cell in notebook_cells() for output in cell["outputs"]]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 4
    assert all(output["output_type"] in ("stream", "execute_result") for output in outputs)
    assert all(output.get("name", "stdout") == "stdout" for output in outputs)


# The site.


def test_the_navigation_has_every_page_and_no_other():
    pages = re.findall(r"^ +- .+: (\S+\.md)$", SITE, re.MULTILINE)
    assert sorted(pages) == sorted([*map(named, PAGES), "tutorial.md"])


def described():
    """Every name that the pages of the API describe."""
    pages = (page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    return [name for page in pages for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE)]


def test_the_api_describes_every_public_name():
    assert {f"spatial_keras.{name}" for name in spatial_keras.__all__} <= {*described()}


def test_the_api_describes_nothing_that_is_not_there():
    assert [name for name in described() if not importable(name)] == []


def importable(name):
    try:
        pkgutil.resolve_name(name)
    except (AttributeError, ImportError):
        return False
    return True


def test_the_site_has_the_table_of_defenses(hooks):
    page = hooks.on_page_markdown((DOCS / "defenses.md").read_text())
    assert "| `wo10_kl_mix` | KL, mix |" in page


def test_contributing_describes_every_room():
    entries = [path for path in (ROOT / "spatial_keras").iterdir() if path.name[0] not in "_."]
    entries = [path for path in entries if path.suffix in ("", ".py")]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {path.stem for path in entries} == {*re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)}


# The command line.


def sections(page):
    parts = re.split(r"^## (\w+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_the_command_line_page_names_every_flag(hooks, command):
    found = sections(hooks.with_flags((DOCS / "command_line.md").read_text()))
    for flag in options.all_flags(hooks.config_of(command)):
        where = found[command if flag.owner is None else "train"]
        assert f"| `--{flag.name}` | {flag.option.help} |" in where


def test_flags_have_their_limits_and_defaults(hooks):
    rows = [line.split(" | ") for line in hooks.command_flags("train").splitlines()]
    cells = {row[0]: row[2:] for row in rows if row[0].startswith("| `--")}
    assert cells["| `--width`"] == ["number, above 0", "`1.0` |"]
    assert cells["| `--schedule`"] == ["`paper`, `cosine`", "`paper` |"]
    assert cells["| `--seed`"] == ["integer, 0 to 2147483647", "`0` |"]
    assert cells["| `--search_from`"] == ["number, at least 0, below 1", "`0.0` |"]
    assert cells["| `--grid_counts`"] == ["some integers with commas between, at least 1", " |"]


def test_a_command_with_the_flags_of_train_says_what_differs(hooks):
    text = hooks.command_flags("tune")
    assert "except `--test_images`, `--epochs` and `--profile_steps`" in text
    assert "by default `--model=resnet8` and `--steps=800`" in text
