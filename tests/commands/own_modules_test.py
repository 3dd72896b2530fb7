"""A search, a regularizer and a method of one's own, in every command that has to do with them."""

import json
import sys

import pytest
import tensorflow as tf

from spatial_keras.commands import own_modules
from spatial_keras.training import defenses, losses, passes
from spatial_keras.training.search import SEARCHES, Search
from tests import script_calls, small

MODULE = '''
import tensorflow as tf

import spatial_keras as sk


@sk.defenses.register_search("own")
class EdgeSearch(sk.Search):
    """The worst of k corners of S, or of places on the way there."""

    prefix, number = "edge", "k"
    options = (sk.defenses.SearchOption("reach", float, "Share of the bounds.", low=0, most=1),)

    def __init__(self, k=4, transformations=None, warp=None, reach=1.0):
        super().__init__(transformations, warp)
        self.k, self.reach = k, reach

    def candidates(self, batch_size, seed):
        draws = self.transformations.sample_batch(seed, batch_size, [self.k])
        return self.reach * tf.sign(draws) * self.transformations.bounds


@sk.defenses.register_objective("gap", "own")
def gap(natural, worst):
    return tf.reduce_max(abs(tf.cast(natural, tf.float32) - tf.cast(worst, tf.float32)), axis=-1)


@sk.defenses.register_regularizer("gap", "own")
class Gap(tf.keras.losses.Loss):
    def call(self, natural, worst):
        return gap(natural, worst)


sk.defenses.register_method("gap", sk.defenses.Method("Gap", "gap", 2.0, "gap"))
'''
IMPORT = "--import=edge_search"
HELD_OUT = ("--validation_images=20",)
RUN = (
    IMPORT,
    *(flag for flag in small.RUN if not flag.startswith("--defense")),
    "--steps=2",
    "--test_images=20",
)
EVERYWHERE = (
    (SEARCHES, "edge"),
    (losses.OBJECTIVES, "gap"),
    (losses.REGULARIZERS, "gap"),
    (defenses.METHODS, "gap"),
)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A folder with the module in it, in which the commands run."""
    path = tmp_path_factory.mktemp("own")
    (path / "edge_search.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setattr(sys, "path", [*sys.path])
        yield path
    sys.modules.pop("edge_search", None)
    for registry, name in EVERYWHERE:
        registry.pop(name, None)


def run(name, *flags):
    return script_calls.call(script_calls.command(f"{name}.py", *flags))


def test_train(folder):
    flags = ("--defense=edge3_gap_mix", "--edge_reach=0.5", "--lambda=3")
    found = run("train", *RUN, *flags, "--output_dir=runs/one")
    assert found.returncode == 0, found.stderr
    results = json.loads((folder / "runs/one/results.json").read_text())
    assert results["flags"]["defense"] == "edge3_gap_mix"
    assert results["flags"]["edge_reach"] == "0.5"
    evaluated = run("evaluate", IMPORT, "--run=runs/one", "--measures=natural", "--limit=9")
    assert evaluated.returncode == 0, evaluated.stderr


def test_table_and_report(folder):
    names = "std_star,edge3_gap,wo2_gap_nat"
    found = run("table", *RUN, f"--defenses={names}", "--seeds=1", "--output_dir=runs/table")
    assert found.returncode == 0, found.stderr
    table = (folder / "runs/table/table.md").read_text()
    assert all(f"| {name} |" in table for name in names.split(","))
    found = run("report", IMPORT, "--runs=runs/table", "--nobest_run", "--output=report.html")
    assert found.returncode == 0, found.stderr
    page = (folder / "report.html").read_text()
    assert all(name in page for name in names.split(","))


def test_tune(folder):
    flags = ("--defense=edge2_gap", "--ks=1,3", "--max_trials=2", "--width=1", *HELD_OUT)
    run_flags = [flag for flag in RUN if not flag.startswith("--test_images")]
    found = run("tune", *run_flags, *flags, "--output_dir=tuned")
    assert found.returncode == 0, found.stderr
    lines = (folder / "tuned/table.csv").read_text().splitlines()
    assert "k" in lines[0].split(",") and len(lines) == 3
    assert "--defense=edge" in (folder / "tuned/best.flags").read_text()


def test_what_it_says_of_itself(folder):
    own_modules.load([IMPORT])
    row = defenses.get("edge3_gap_nat")
    assert (row.method, row.images, row.search.in_paper) == ("Gap", "nat", "edge-3")
    assert passes.of_step(row) == 3 + 1 + 6
    assert passes.of_step(defenses.get("edge1_gap_nat")) == 6
    assert row.with_options({"edge_reach": 0.25, "pgd_start": "zero"}).search.reach == 0.25
    assert "--edge_reach: Share of the bounds." in run("train", "--help", IMPORT).stdout


def test_a_model_with_it_is_loaded(folder):
    own_modules.load([IMPORT])
    model = defenses.get("edge3_gap").build(small.network(8, 10))
    model.save(folder / "robust.keras")
    loaded = tf.keras.models.load_model(folder / "robust.keras")
    assert (type(loaded.search), loaded.search.k) == (SEARCHES["edge"], 3)
    assert type(loaded.regularizer) is losses.REGULARIZERS["gap"]
    assert loaded.objective == losses.OBJECTIVES["gap"]


def test_what_cannot_be_is_refused_in_one_line(folder):
    (folder / "broken.py").write_text("x = 1 / 0")
    (folder / "mine.flags").write_text("--import=broken\n")
    cases = {
        (IMPORT, "--defense=edge0_gap"): "k must be at least 1 in defense 'edge0_gap'",
        (IMPORT, "--defense=edge_gap"): "unknown defense 'edge_gap': did you mean 'edge4_gap'?",
        (IMPORT, "--edge_reach=2"): "--edge_reach must be",
        (*RUN, "--defense=wo2_gap", "--edge_reach=1"): "--edge_reach has no effect on defense",
        (IMPORT, "--defense=edge10001_gap"): "--defense must search with 10000 candidates",
        ("--import=edge",): "--import: no module 'edge' here or installed.",
        ("--import=edge_search.py",): "--import must be a module's name, such as my_module",
        ("--import=broken",): "--import=broken: ZeroDivisionError: division by zero (line 1 of",
        ("--flagfile=mine.flags",): "mine.flags: --import runs code, and is taken as typed only.",
    }
    for flags, message in cases.items():
        assert script_calls.mistake(run("train", *flags)).startswith(f"error: {message}")


def test_what_is_registered_keeps_its_name(folder):
    own_modules.load([IMPORT])
    edge, gap = SEARCHES["edge"], losses.OBJECTIVES["gap"].function
    assert defenses.register_search("own")(edge) is edge
    other = type("Other", (Search,), {"prefix": "edge", "num_candidates": 2})
    with pytest.raises(ValueError, match="prefix 'edge' is edge_search.EdgeSearch already"):
        defenses.register_search("own")(other)
    with pytest.raises(ValueError, match="objective 'kl' is spatial_keras.training.losses.kl_div"):
        defenses.register_objective("kl", "own")(gap)
    with pytest.raises(ValueError, match="method 'kl' is Method.* already"):
        defenses.register_method("kl", defenses.METHODS["gap"])
    for wrong in ("Edge", "edge2", "std"):
        with pytest.raises(ValueError, match=f"^prefix must be small letters.*got '{wrong}'"):
            defenses.register_search("own")(type("Other", (edge,), {"prefix": wrong}))
    with pytest.raises(ValueError, match="^a method's name must be small letters and digits"):
        defenses.register_method("mix", defenses.METHODS["gap"])
    with pytest.raises(TypeError, match="^search Other needs 'prefix', and 'number' or"):
        defenses.register_search("own")(type("Other", (Search,), {"prefix": "other"}))
