"""The rules of the house, checked on the files themselves."""

from __future__ import annotations

import ast
import collections
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
from spatial_keras import TransformationSet, commands, models
from spatial_keras.geometry import axes, camera, discrete
from spatial_keras.models import coordinates, pose
from spatial_keras.models.group_conv import GroupConv2D
from spatial_keras.training import defenses, losses
from tests import small

ROOT = pathlib.Path(__file__).parents[1]
LIBRARY = sorted(file.relative_to(ROOT) for file in ROOT.glob("spatial_keras/**/*.py"))
TESTS = sorted(file.relative_to(ROOT) for file in ROOT.glob("tests/**/*_test.py"))
HELPERS = sorted(
    file.relative_to(ROOT)
    for file in ROOT.glob("tests/**/*.py")
    if file.relative_to(ROOT) not in TESTS
)
SCRIPTS = sorted(file.relative_to(ROOT) for file in ROOT.glob("scripts/*.py"))
FLAGFILES = sorted(file.relative_to(ROOT) for file in ROOT.glob("flags/**/*.flags"))
FRONTS = {pathlib.Path("spatial_keras", name) for name in ("__init__.py", "__main__.py")}

# What only these rooms may import, so that the others do not depend on it.
DOORS = {
    "absl": {"commands"},
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
    "filelock": "filelock",
    "foolbox": "foolbox",
    "h5py": "h5py",
    "jinja2": "jinja2",
    "keras_tuner": "keras_tuner",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
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


def functions(file: pathlib.Path) -> list[tuple[str, int]]:
    """The name of each function and method of a file, and how many lines its body has."""
    nodes = [node for node in ast.walk(parse(file)) if isinstance(node, ast.FunctionDef)]
    return [(node.name, node.end_lineno - node.body[0].lineno + 1) for node in nodes]


# Bazel. Starlark reads as Python; rules and globs are all that it calls.


def build_rules() -> dict[str, list[dict]]:
    """The attributes of each rule of BUILD, by kind."""
    rules: dict[str, list[dict]] = collections.defaultdict(list)

    def recorded(kind):
        return lambda **attributes: rules[kind].append(attributes)

    def glob(include, exclude=(), **_):
        matches = {path for pattern in include for path in ROOT.glob(pattern) if path.is_file()}
        matches -= {path for pattern in exclude for path in ROOT.glob(pattern)}
        names = [str(path.relative_to(ROOT)) for path in matches if path.suffix != ".pyc"]
        return [] if include == ["**"] else sorted(names)

    kinds = {kind: recorded(kind) for kind in ("py_library", "py_binary", "py_test")}
    others = dict.fromkeys(("load", "package", "filegroup"), lambda *_, **__: None)
    exec((ROOT / "BUILD").read_text(encoding="utf-8"), {"glob": glob, **kinds, **others})
    return rules


BUILD = build_rules()
RULES = {rule["name"]: rule for rule in itertools.chain(*BUILD.values())}
# From the ground up, as in BUILD: a room imports only rooms above it.
ROOMS = [rule["name"] for rule in BUILD["py_library"]]
ROOMS = ROOMS[: ROOMS.index("spatial_keras")]


def sources(kind: str) -> set[pathlib.Path]:
    return {pathlib.Path(source) for rule in BUILD[kind] for source in rule["srcs"]}


def test_bazel_has_a_rule_for_every_file():
    main = {pathlib.Path("tests/run_pytest.py")}
    assert sources("py_library") == {*LIBRARY, *HELPERS}
    assert sources("py_test") == {*TESTS, *main}
    assert sources("py_binary") == set(SCRIPTS)
    assert [rule["main"] for rule in BUILD["py_test"]] == [*map(str, main)] * len(TESTS)


def test_the_templates_are_in_their_room():
    assert {pathlib.Path(name).suffix for name in RULES["reporting"]["data"]} == {
        ".html",
        ".css",
        ".js",
    }


def packages(files: list[pathlib.Path]) -> set[str]:
    """What of PyPI these files import, as Bazel's labels."""
    names = {name.split(".")[0] for file in files for name in imported_modules(file)}
    return {f"@pypi//{PACKAGES[name]}" for name in names & PACKAGES.keys()}


def test_bazel_gives_each_room_the_packages_that_it_imports():
    wrong = {}
    for room in ROOMS:
        given = {label for label in RULES[room]["deps"] if label.startswith("@pypi//")}
        wanted = packages([file for file in LIBRARY if room_of(file) == room])
        if given != wanted:
            wrong[room] = given ^ wanted
    assert wrong == {}
    assert packages([*TESTS, *HELPERS]) <= set(RULES["testing"]["deps"])


# The files.


def test_a_room_imports_only_rooms_above_it():
    wrong = {}
    for file in LIBRARY:
        if file not in FRONTS:
            room = room_of(file)
            assert room in ROOMS, f"say in BUILD where {room} stands"
            wrong[str(file)] = imported_rooms(file) - {*ROOMS[: ROOMS.index(room)], room}
    assert {file: rooms for file, rooms in wrong.items() if rooms} == {}


def test_each_door_is_used_by_its_rooms():
    imports = [
        (name.split(".")[0], file, room_of(file))
        for file in LIBRARY
        for name in imported_modules(file)
    ]
    assert [
        entry for entry in imports if entry[2] not in DOORS.get(entry[0], ROOMS + ["spatial_keras"])
    ] == []


def test_compiled_code_stays_in_tensorflow_and_nothing_prints():
    wrong = {}
    for file in LIBRARY:
        # What reads files is never compiled.
        python = set() if room_of(file) == "data" else {"py_function", "numpy_function"}
        shown = set() if room_of(file) == "commands" else {"print"}
        wrong[str(file)] = called_names(file) & (python | {"map_fn"} | shown)
    assert {file: names for file, names in wrong.items() if names} == {}


def test_files_and_functions_are_short():
    files = [*LIBRARY, *SCRIPTS]
    lines = {
        str(file): len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files
    }
    assert {file: number for file, number in lines.items() if number > MAX_LINES} == {}
    bodies = {
        file: [entry for entry in functions(file) if entry[1] > MAX_BODY_LINES] for file in files
    }
    assert {str(file): names for file, names in bodies.items() if names} == {}


def test_each_file_has_its_test():
    inside = [
        file.relative_to("spatial_keras") for file in LIBRARY if not file.stem.startswith("__")
    ]
    mirrors = [pathlib.Path("tests", file.with_name(f"{file.stem}_test.py")) for file in inside]
    assert [str(mirror) for mirror in mirrors if mirror not in TESTS] == []


def test_each_test_file_has_tests():
    tested = {file: any(name.startswith("test") for name, _ in functions(file)) for file in TESTS}
    assert [str(file) for file, found in tested.items() if not found] == []


def test_each_script_is_the_command_of_its_name():
    scripts = [file for file in SCRIPTS if not file.name.startswith(("benchmark", "soak"))]
    assert {file.stem for file in scripts} == {*commands.COMMANDS}
    for file in scripts:
        assert f'commands.main(["{file.stem}", *sys.argv[1:]])' in (ROOT / file).read_text()


def required(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_bazel_installs_what_is_required():
    locked = {canonicalize_name(line.name): line.specifier for line in required("bazel.lock")}
    for line in itertools.chain(*map(required, ("common.txt", "paper.txt", "dev.txt"))):
        (pin,) = locked[canonicalize_name(line.name)]
        assert line.specifier.contains(pin.version), line.name


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {spatial_keras.__version__}\n" in citation


# Flags.


build_model = functools.cache(models.get)


def test_each_flagfile_describes_an_experiment(monkeypatch):
    monkeypatch.chdir(ROOT)
    for file in FLAGFILES:
        config = small.parsed(f"--flagfile={file}")
        config.check_effects()
        options = {"weights": config.weights} if config.is_application else {"width": config.width}
        model = build_model(config.model, **options)
        assert model.name == config.model.removeprefix("keras:"), file


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
    "Flip": lambda: discrete.Flip(1),
    "GradientSearch": lambda: spatial_keras.GradientSearch(
        2, EXAMPLES["TransformationSet"](), EXAMPLES["SpatialWarp"](), (0.5, 1, 2), "zero", 3
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
    "Pitch": lambda: camera.Pitch(15.0, 90.0),
    "QuarterTurns": lambda: discrete.QuarterTurns(3),
    "RobustModel": lambda: defenses.get("wo3_kl_nat").build(
        models.get("resnet8", num_classes=4, width=0.25), weight_decay=0.5, seed=6, xla=True
    ),
    "Rotation": lambda: axes.Rotation(45.0),
    "ShearX": lambda: camera.ShearX(10.0),
    "ShearY": lambda: camera.ShearY(5.0),
    "ShiftX": lambda: axes.ShiftX(1.5),
    "ShiftY": lambda: axes.ShiftY(2.5),
    "SpatialWarp": lambda: spatial_keras.SpatialWarp(
        "gather", "joint", "nearest", TransformationSet(1, 2, 3).axes, name="t"
    ),
    "TransformMatrix": lambda: coordinates.TransformMatrix("rigid"),
    "TransformationSet": lambda: TransformationSet(1, 2, 3),
    "WorstOfK": lambda: spatial_keras.WorstOfK(
        3, EXAMPLES["TransformationSet"](), EXAMPLES["SpatialWarp"](), candidates_per_pass=2
    ),
    "Yaw": lambda: camera.Yaw(20.0),
    "Zoom": lambda: camera.Zoom(1.25),
}
# What the configurations of Keras's own base classes hold.
KERAS_KEYS = {"name", "trainable", "dtype", "reduction"}


def test_every_registered_class_has_an_example():
    for file in LIBRARY:
        if file.name != "__main__.py":
            importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))
    registered = tf.keras.utils.get_custom_objects().items()
    registered = [name.split(">") for name, entry in registered if inspect.isclass(entry)]
    assert {name for package, name in registered if package == "spatial_keras"} == set(EXAMPLES)


@pytest.mark.parametrize("build", EXAMPLES.values(), ids=EXAMPLES)
def test_a_registered_object_survives_json(build):
    example = build()
    parameters = inspect.signature(type(example).__init__).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    assert named - {"self"} <= example.get_config().keys() <= named | KERAS_KEYS
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


def is_documented_and_typed(entry) -> bool:
    function = vars(entry).get("__init__") if inspect.isclass(entry) else entry
    if not function:
        return bool(entry.__doc__)
    signature = inspect.signature(function)
    untyped = {p.name for p in signature.parameters.values() if p.annotation is p.empty}
    returns = function is not entry or signature.return_annotation is not signature.empty
    return bool(entry.__doc__) and untyped <= {"self", "cls"} and returns


def test_the_public_api_is_documented_and_typed():
    public = public_api()
    assert len(public) > 100
    assert [name for name, entry in public.items() if not is_documented_and_typed(entry)] == []
