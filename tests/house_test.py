"""The rules of the house, checked on the files themselves."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import itertools
import json
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import spatial_keras
from spatial_keras import commands, models
from spatial_keras.models import coordinates, pose
from spatial_keras.models.group_conv import GroupConv2D
from spatial_keras.training import defenses, losses
from tests import small

ROOT = pathlib.Path(__file__).parents[1]
LIBRARY = sorted(file.relative_to(ROOT) for file in ROOT.glob("spatial_keras/**/*.py"))
TESTS = sorted(file.relative_to(ROOT) for file in ROOT.glob("tests/**/*.py"))
SCRIPTS = sorted(file.relative_to(ROOT) for file in ROOT.glob("scripts/*.py"))
FLAGFILES = sorted(file.relative_to(ROOT) for file in ROOT.glob("flags/**/*.flags"))
FRONTS = {pathlib.Path("spatial_keras", name) for name in ("__init__.py", "__main__.py")}

# From the ground up: a room imports only rooms above it in this list.
ROOMS = (
    "support",
    "geometry",
    "training",
    "models",
    "evaluation",
    "data",
    "theory",
    "figures",
    "callbacks",
    "configuration",
    "experiments",
    "reporting",
    "commands",
)
# What only these rooms may import, so that the others do not depend on it.
DOORS = {
    "absl": {"configuration", "commands"},
    "keras_tuner": {"experiments"},
    "tensorflow_addons": {"support"},
}
# What `import spatial_keras` leaves to those who need it.
LATE = ("keras_tuner", "matplotlib", "rich", "tensorboard", "tensorflow_datasets", "tqdm")
# The packages that the library and its tests import, by the names that PyPI gives them.
PACKAGES = {
    "PIL": "pillow",
    "absl": "absl_py",
    "art": "adversarial_robustness_toolbox",
    "foolbox": "foolbox",
    "h5py": "h5py",
    "jinja2": "jinja2",
    "keras_tuner": "keras_tuner",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "packaging": "packaging",
    "pytest": "pytest",
    "requests": "requests",
    "rich": "rich",
    "scipy": "scipy",
    "sklearn": "scikit_learn",
    "tensorboard": "tensorboard",
    "tensorflow": "tensorflow",
    "tensorflow_addons": "tensorflow_addons",
    "tensorflow_datasets": "tensorflow_datasets",
    "tqdm": "tqdm",
}
MAX_LINES = 400
MAX_BODY_LINES = 60


def per_file(files):
    return pytest.mark.parametrize("file", files, ids=str)


def parse(file: pathlib.Path | str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def room_of(file: pathlib.Path) -> str:
    return file.parts[1].removesuffix(".py") if file not in FRONTS else "spatial_keras"


def imported_modules(file: pathlib.Path) -> set[str]:
    """Every module that a file imports; `from package import name` counts as package.name."""
    found: set[str] = set()
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            found |= {f"{package}.{alias.name}" for alias in node.names}
    return found


def imported_rooms(file: pathlib.Path) -> set[str]:
    modules = imported_modules(file)
    assert not [name for name in modules if name.startswith(".")], "relative import"
    return {name.split(".")[1] for name in modules if name.startswith("spatial_keras.")}


def called_names(file: pathlib.Path) -> set[str]:
    calls = [node.func for node in ast.walk(parse(file)) if isinstance(node, ast.Call)]
    return {
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls
    }


def functions(file: pathlib.Path) -> dict[str, int]:
    """The functions and methods of a file, and how many lines their bodies have."""
    nodes = [node for node in ast.walk(parse(file)) if isinstance(node, ast.FunctionDef)]
    return {node.name: node.end_lineno - node.body[0].lineno + 1 for node in nodes}


# The files.


@per_file([file for file in LIBRARY if file not in FRONTS])
def test_a_room_imports_only_rooms_above_it(file):
    room = room_of(file)
    assert room in ROOMS, f"say in ROOMS where {room} stands"
    above = {*ROOMS[: ROOMS.index(room)], room}
    assert imported_rooms(file) <= above


@per_file(LIBRARY)
def test_each_door_is_used_by_its_rooms(file):
    packages = {name.split(".")[0] for name in imported_modules(file)}
    assert all(room_of(file) in DOORS[name] for name in packages & DOORS.keys())


@per_file(LIBRARY)
def test_compiled_code_stays_in_tensorflow_and_nothing_prints(file):
    # What reads files is never compiled.
    python = set() if room_of(file) == "data" else {"py_function", "numpy_function"}
    banned = {*python, "map_fn"}
    shown = set() if room_of(file) == "commands" else {"print"}
    assert not called_names(file) & (banned | shown)


@per_file([*LIBRARY, *SCRIPTS])
def test_files_and_functions_are_short(file):
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert {name: lines for name, lines in functions(file).items() if lines > MAX_BODY_LINES} == {}


@per_file([file for file in LIBRARY if not file.stem.startswith("__")])
def test_each_file_has_its_test(file):
    inside = file.relative_to("spatial_keras")
    assert (ROOT / "tests" / inside.with_name(f"{file.stem}_test.py")).exists()


@per_file([file for file in SCRIPTS if not file.name.startswith(("benchmark", "soak"))])
def test_each_script_is_the_command_of_its_name(file):
    assert file.stem in commands.NAMES
    assert f'commands.run("{file.stem}", sys.argv[1:])' in (ROOT / file).read_text()


@per_file([file for file in TESTS if file.name.endswith("_test.py")])
def test_each_test_file_has_tests(file):
    assert [name for name in functions(file) if name.startswith("test")]


# Bazel. Starlark's calls of rules read as Python.


def build_rules(kind: str) -> list[dict]:
    """The attributes of each rule of this kind in BUILD that are written out."""
    calls = [node for node in ast.walk(parse("BUILD")) if isinstance(node, ast.Call)]
    rules = [call.keywords for call in calls if getattr(call.func, "id", None) == kind]
    return [{k.arg: literal(k.value) for k in keywords} for keywords in rules]


def literal(node: ast.expr):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def build_sources(kind: str) -> set[pathlib.Path]:
    return {pathlib.Path(source) for rule in build_rules(kind) for source in rule["srcs"]}


def test_build_names_every_file_and_no_other():
    (tests,) = [
        ast.literal_eval(node.value)
        for node in parse("BUILD").body
        if isinstance(node, ast.Assign) and node.targets[0].id == "TESTS"
    ]
    named = {pathlib.Path("tests", f"{test}.py") for test in tests}
    assert named == {file for file in TESTS if file.name.endswith("_test.py")}
    assert build_sources("py_library") == {*LIBRARY, *TESTS} - named
    assert build_sources("py_binary") == set(SCRIPTS)


def test_build_names_what_is_no_python():
    files = {file.relative_to(ROOT) for file in ROOT.glob("spatial_keras/**/*") if file.is_file()}
    data = {file for file in files if file.suffix != ".pyc"} - {*LIBRARY}
    assert data  # the templates; wheel_test installs them
    named = [rule.get("data", []) for rule in build_rules("py_library") if rule["name"] in ROOMS]
    assert {pathlib.Path(file) for files in named for file in files} == data


@pytest.mark.parametrize("room", ROOMS)
def test_build_depends_on_what_a_room_imports(room):
    (rule,) = [rule for rule in build_rules("py_library") if rule["name"] == room]
    files = [pathlib.Path(source) for source in rule["srcs"]]
    assert {room_of(file) for file in files} == {room}
    rooms = set().union(*map(imported_rooms, files)) - {room}
    packages = {name.split(".")[0] for file in files for name in imported_modules(file)}
    labels = {f"@pypi//{PACKAGES[name]}" for name in packages & PACKAGES.keys()}
    assert set(rule.get("deps", [])) == {f":{name}" for name in rooms} | labels


def required(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", ["common.txt", "paper.txt", "dev.txt"])
def test_bazel_installs_what_is_required(name):
    locked = {canonicalize_name(one.name): one.specifier for one in required("bazel.lock")}
    for one in required(name):
        (pin,) = locked[canonicalize_name(one.name)]
        assert one.specifier.contains(pin.version)


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {spatial_keras.__version__}\n" in citation


# Flags.


build_model = functools.cache(models.get)


@per_file(FLAGFILES)
def test_each_flagfile_describes_an_experiment(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = small.parsed(f"--flagfile={file}")
    config.check_effects()
    options = {"weights": config.weights} if config.is_application else {"width": config.width}
    model = build_model(config.model, **options)
    assert model.name == config.model.removeprefix("keras:")


# The public API.


def test_the_import_leaves_what_draws_tunes_and_fetches_alone():
    # TensorFlow 2.15 loads TensorBoard itself.
    script = (
        "import sys, numpy, tensorflow; before = {*sys.modules}; import spatial_keras; "
        f"print(*(sys.modules.keys() - before) & {set(LATE)})"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert found.stdout.split() == []


EXAMPLES = {
    "CyclicPadding": lambda: pose.CyclicPadding(2),
    "GradientSearch": lambda: spatial_keras.GradientSearch(
        2, EXAMPLES["TransformationSet"](), EXAMPLES["SpatialWarp"](), (0.5, 1, 2), False, 3
    ),
    "GridSampler": lambda: coordinates.GridSampler("polar", (16, 9), dtype="float64"),
    "GridSearch": lambda: spatial_keras.GridSearch(
        (3, 1, 5), EXAMPLES["TransformationSet"](), EXAMPLES["SpatialWarp"](), 4
    ),
    "GroupConv2D": lambda: GroupConv2D(3, 5, "p4", 2, name="turned"),
    "HeatMapPose": lambda: pose.HeatMapPose(2.5, True, name="angle"),
    "KLInvariance": lambda: spatial_keras.KLInvariance("sum", "divergence"),
    "LogitInvariance": lambda: spatial_keras.LogitInvariance("none", "distance"),
    "Objective": lambda: spatial_keras.Objective("far", losses.squared_distance, "natural"),
    "RobustModel": lambda: defenses.get("wo3_kl_nat").build(
        models.get("resnet8", num_classes=4, width=0.25), weight_decay=0.5, seed=6, xla=True
    ),
    "SpatialWarp": lambda: spatial_keras.SpatialWarp("gather", "joint", "nearest", name="t"),
    "TransformMatrix": lambda: coordinates.TransformMatrix("rigid"),
    "TransformationSet": lambda: spatial_keras.TransformationSet(1, 2, 3),
    "WorstOfK": lambda: spatial_keras.WorstOfK(
        3, EXAMPLES["TransformationSet"](), EXAMPLES["SpatialWarp"](), candidates_per_pass=2
    ),
}
# What the configurations of Keras's own base classes hold.
KERAS_KEYS = {"name", "trainable", "dtype", "reduction"}


def per_example():
    return pytest.mark.parametrize("build", EXAMPLES.values(), ids=EXAMPLES)


def test_every_registered_class_has_an_example():
    for file in LIBRARY:
        if file.name != "__main__.py":
            importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))
    registered = tf.keras.utils.get_custom_objects().items()
    registered = [name.split(">") for name, entry in registered if inspect.isclass(entry)]
    assert {name for package, name in registered if package == "spatial_keras"} == set(EXAMPLES)


@per_example()
def test_the_configuration_holds_the_constructors_arguments(build):
    example = build()
    parameters = inspect.signature(type(example).__init__).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    assert named - {"self"} <= example.get_config().keys() <= named | KERAS_KEYS


@per_example()
def test_a_registered_object_survives_json(build):
    example = build()
    text = json.dumps(tf.keras.utils.serialize_keras_object(example))
    twin = tf.keras.utils.deserialize_keras_object(json.loads(text))
    assert type(twin) is type(example)
    assert json.dumps(tf.keras.utils.serialize_keras_object(twin)) == text


def public_api() -> dict[str, object]:
    """The classes, functions and methods that a user of the package sees, by their full names."""
    entries = [getattr(spatial_keras, name) for name in spatial_keras.__all__]
    members = [vars(one).values() if inspect.ismodule(one) else [one] for one in entries]
    ours = [one for one in itertools.chain(*members) if is_public(one)]
    methods = [vars(one).values() for one in ours if inspect.isclass(one)]
    plain = [
        getattr(one, "__func__", getattr(one, "fget", one)) for one in itertools.chain(*methods)
    ]
    found = [*ours, *filter(is_public, plain)]
    return {f"{one.__module__}.{one.__qualname__}": one for one in found}


def is_public(entry) -> bool:
    if not (inspect.isclass(entry) or inspect.isfunction(entry)):
        return False
    visible = entry.__name__ == "__call__" or not entry.__name__.startswith("_")
    return visible and entry.__module__.split(".")[0] == "spatial_keras"


PUBLIC = public_api()


@pytest.mark.parametrize("entry", PUBLIC.values(), ids=PUBLIC)
def test_the_public_api_is_documented_and_typed(entry):
    assert entry.__doc__
    function = vars(entry).get("__init__") if inspect.isclass(entry) else entry
    if function:
        signature = inspect.signature(function)
        untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
        assert set(untyped) <= {"self", "cls"}
        assert function is not entry or signature.return_annotation is not signature.empty
