"""Of 1,000 generated malformed commands none is accepted, and none gives more than one line."""

import importlib
import math
import random

import pytest

from spatial_keras import commands
from spatial_keras.configuration import options
from spatial_keras.experiments import image_sets

CONFIGS = {name: command.config for name, command in commands.COMMANDS.items()}
# Flags with which each command is right so far.
RIGHT = {
    "train": [], "evaluate": ["--run=somewhere"], "table": ["--defenses=wo2_kl,std"], "tune": [],
    "plot": ["--all"], "report": ["--runs=."], "zoo": [],
}  # fmt: skip
# Flags that have no effect, or do not go together.
NO_EFFECT = {
    "train": [
        "--defense=std --lambda=2", "--defense=wo1_kl --search_from=0.5", "--pgd_start=zero",
        "--defense=std_star --grid_counts=3,3,3", "--pgd_step_sizes=1,1,1", "--grid_counts=3,3,3",
        "--defense=pgd2_kl --pgd_step_sizes=0,0,0", "--test_images=5 --validation_images=5",
        "--model=a.keras --width=2", "--steps=9 --profile_steps=5,20", "--profile_steps=20,10",
    ],
    "evaluate": [
        "--measures=natural --draws=3", "--measures=natural,grid --seed=3", "--measures=attack",
        "--measures=natural --composition=joint", "--measures=random --map", "--model=a.keras",
        "--measures=grid --k=3", "--measures=grid --gradient_steps=3", "--input_range=1,1",
        "--measures=grid --attack_steps=3", "--measures=random --grid_counts=3,3,3",
    ],
    "table": [
        "--defenses=std,std_star --lambda=2", "--grid_counts=3,3,3", "--defenses=std,std",
        "--defenses=wo1_at --search_from=0.5", "--pgd_start=zero",
    ],
    "tune": [
        "--tuner=hyperband --max_trials=3", "--defense=std_star --lambdas=1,2", "--lambdas=2,1",
        "--defense=pgd5_kl --ks=1,2", "--lambda=1 --lambdas=1,2", "--lambda=1", "--lambdas=3,3",
    ],
    "plot": ["--image=3", "--data_dir=.", "--figures=cost"],
    "report": ["--nobest_run --data_dir=.", "--compare=wo10_at,wo10_lk", "--output=a.pdf"],
    "zoo": ["--purpose=tests"],
}  # fmt: skip
# What a hostile user came up with beside.
BY_HAND = {
    "train": [
        "--width=1e9", "--width=1e308", "--width=0", "--width=-0", "--seed=2147483648",
        "--max_rotation=181", "--max_translation=100%", "--max_translation=-1%",
        "--max_translation=nan%", "--max_translation=%", "--max_translation=1%%",
        "--defense=grid_kl --grid_counts=0,0,0", "--defense=grid_kl --grid_counts=-1,-1,-1",
        "--defense=grid_kl --grid_counts=1000,1000,2", "--defense=grid5_kl", "--defense=wo0_kl",
        "--defense=pgd2_kl --pgd_step_sizes=-1,-1,-1",
        "--defense=pgd2_kl --pgd_step_sizes=1e30,1,1",
        "--defense=pgd2_kl --pgd_step_sizes=inf,1,1", "--defense=pgd2_kl --pgd_step_sizes=-0,0,0",
        "--defense=wo-1_kl", "--defense=wo010_kl", "--defense=wo1.5_kl", "--defense=WO10_KL",
        "--defense=wo99999999999999999999_kl", "--defense=wo10_kl,std", "--defense=pgd0_kl",
        "--defense=wo\u0661\u0660_kl", "--model=keras:VGG16 --width=2", "--unsafe",
        "--weights=x.h5", "--max_time=0s", "--max_time=-1h", "--max_time=1d", "--max_time=1.5h",
        "--max_time=h", "--max_time=99999999999999h", "--checkpoint_every=0", "--crop=0",
        "--crop=1.1", "--test_fraction=nan", "--mirror=perhaps", "--stream=maybe", "--image_size=0",
        "--worker_timeout=0", "--undefok=nothing --nothing=1", "--undefok", "--help=3", "--noxla",
        "--steps=4 --steps=x", "--mixed_precision=True", "--schedule=linear", "--search_from=1",
        "--weight_decay=-1", "-- --steps=4", "--nosteps", "--xla=true", "--fill=red",
        "--sync_batch_norm --xla=on", "--flagfile=/dev/zero", "--steps=1e3", "--batch_size=2.0",
    ],
    "tune": [
        "--lambdas=1,inf", "--lambdas=nan,1", "--lambdas=1,1e30", "--learning_rates=1,1e30",
        "--learning_rates=0.1,0.1", "--ks=1,1", "--ks=10001", "--max_trials=10001", "--tuner=grid",
        "--tuner=hyperband --steps=8", "--test_images=3", "--profile_steps=2,3", "--ks=1,,5",
        "--defense=std_star", "--ks=5.0", "--lambdas=1,2,3",
    ],
    "table": [
        "--defenses=,", "--defenses=std,,wo2_at", "--seeds=1001", "--seed=3", "--defense=std",
        "--seeds=1.0", "--max_time=1", "--seeds=-0x1", "--profile_steps=5,2",
    ],
    "evaluate": [
        "--model=x.keras", "--run=", "--measures=natural,", "--measures=natural,natural",
        "--measures=Natural", "--grid_counts=0,0,0", "--grid_counts=1000,1000,2",
        "--grid_counts=-1,-1,-1", "--max_rotation=-1", "--output=x.txt", "--output=d.json/",
        "--output=.json", "--output=/x/..json", "--output=results.json", "--output=x/results.json",
        "--input_range=1,1", "--outputs=softmax", "--batch_size=65537", "--draws=10001", "--map=2",
        "--attack_refinements=-1", "--nounsafe=1", "--max_translation=3px", "--limit=all",
    ],
    "plot": [
        "--image=1", "--run=missing", "--noall", "--figures=cost --all", "--output_dir=/dev/null/x",
    ],
    "report": [
        "--compare=std", "--compare=std,std", "--compare=std,wo2_kl,wo3_kl", "--compare=std,stdd",
        "--output=.html", "--output=x.html/", "--output=/dev/null/x.html", "--best_run=maybe",
    ],
    "zoo": ["--leaderboard=a.html", "--leaderboard=/dev/null/a.md", "--cards=a.json,a.json"],
}  # fmt: skip
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "many",
    "",
    " ",
    "0x",
    "1,,2",
    "--",
    "None",
    "\u0661\u0662x",
)
TEXTS = ("", "a\0b")
BOOLEANS = ("maybe", "2", "truee", "-1")


def misspelled(text, rng):
    place = rng.randrange(len(text))
    return text[:place] + rng.choice("qxz") + text[place:]


def wrong_number(flag, rng):
    """Returns a text that is no number which the flag may have."""
    option = flag.option
    wrong = [
        *NUMBERS,
        "-1e31" if option.low is None else f"{option.low - rng.choice([1, 7, 10**9])}",
    ]
    wrong.append(f"{option.high + rng.choice([1, 7])}" if option.high is not None else "1e31")
    if flag.kind is int:
        wrong += ["1.5", "1e3", "10000000000000"]
    return rng.choice(wrong)


def wrong_value(flag, rng):
    if flag.kind is bool:
        return rng.choice(BOOLEANS)
    if flag.option.choices:
        one = misspelled(rng.choice(flag.option.choices), rng)
        return rng.choice([one, f"{flag.option.choices[0]},{one}" if flag.is_tuple else one, ""])
    if flag.kind is str:
        return rng.choice(TEXTS)
    if not flag.is_tuple:
        return wrong_number(flag, rng)
    if flag.option.count and rng.random() < 0.3:
        return ",".join(["3"] * (flag.option.count + rng.choice([-1, 1, 2])))
    return ",".join(["3"] * ((flag.option.count or 2) - 1) + [wrong_number(flag, rng) or "x"])


@pytest.fixture(name="flagfiles", scope="module")
def make_flagfiles(tmp_path_factory):
    """Flagfiles that cannot be read."""
    folder = tmp_path_factory.mktemp("flagfiles")
    (folder / "latin.flags").write_bytes(b"--seed=1\n# caf\xe9\n")
    (folder / "itself.flags").write_text(f"--flagfile={folder / 'itself.flags'}\n")
    (folder / "one.flags").write_text(f"--flagfile={folder / 'other.flags'}\n")
    (folder / "other.flags").write_text(f"--flagfile={folder / 'one.flags'}\n")
    (folder / "unknown.flags").write_text("--no_such_flag=1\n")
    (folder / "stray.flags").write_text("words\n")
    return ["", str(folder), str(folder / "missing"), *map(str, folder.iterdir())]


def nearest(flag, text):
    """Returns the number nearest to a wrong one that a flag may have; None if there is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    if flag.is_tuple or not math.isfinite(number):
        return None
    option = flag.option
    most = {int: 10**9, float: 1e30}[flag.kind] if option.most is None else option.most
    low = -most if option.low is None else option.low
    high = most if option.high is None else option.high
    if flag.kind is int:
        return min(max(round(number), low), high)
    is_low, is_high = number <= low, number >= high
    if (is_low and option.exclusive_low) or (is_high and option.exclusive_high):
        return None
    return low if is_low else high


def malformed(rng, flagfiles):
    """Returns a command, arguments that are wrong by their making, and the nearest right number."""
    name = rng.choice([*commands.COMMANDS])
    flags = options.all_flags(CONFIGS[name])
    flag = rng.choice(flags)
    kinds = {"value": 72, "effect": 10, "name": 7, "stray": 4, "flagfile": 5, "bare": 2}
    (kind,) = rng.choices([*kinds], kinds.values())
    value = wrong_value(flag, rng)
    made = {
        "value": lambda: f"--{flag.name}={value}",
        "effect": lambda: rng.choice(NO_EFFECT[name]),
        "name": lambda: f"--{misspelled(flag.name, rng)}=1",
        "stray": lambda: rng.choice(["words", "=", "-", "train", "[/x]", "\u2028"]),
        "flagfile": lambda: f"--flagfile={rng.choice(flagfiles)}",
        "bare": lambda: f"--{rng.choice([f for f in flags if f.kind is not bool]).name}",
    }[kind]()
    number = nearest(flag, value) if kind == "value" and flag.kind in (int, float) else None
    return name, [*RIGHT[name], *(made.split() if kind == "effect" else [made])], number


@pytest.fixture(name="refused")
def make_refused(capsys, monkeypatch, tmp_path):
    """Calls a command that must end with one line; returns that."""
    monkeypatch.chdir(tmp_path)
    for name in {*commands.COMMANDS} - {"train"}:
        module = importlib.import_module(f"spatial_keras.commands.{name}")
        monkeypatch.setattr(module, "main", lambda config: pytest.fail(f"accepted {config}"))
    # Flags without effect on the defense are found where the run begins.
    monkeypatch.setattr(image_sets, "load", lambda config: pytest.fail(f"accepted {config}"))

    def refused(name, arguments):
        with pytest.raises(SystemExit) as end:
            commands.main([name, *arguments])
        found = capsys.readouterr()
        assert end.value.code == 2, arguments
        assert found.err.startswith("error: ") and found.err.count("\n") == 1, arguments
        assert "Traceback" not in found.err and not found.out, arguments
        return found.err

    yield refused
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_what_was_made_by_hand_is_refused(name, refused):
    for text in BY_HAND[name]:
        refused(name, [*RIGHT[name], *text.split()])


@pytest.mark.parametrize("seed", range(10))
def test_no_malformed_command_is_accepted_and_each_gets_one_line(seed, flagfiles, refused):
    rng = random.Random(seed)
    for _ in range(100):
        name, arguments, number = malformed(rng, flagfiles)
        line = refused(name, arguments)
        if number is not None:
            assert line.endswith(f"; the nearest allowed is {number}.\n"), arguments
            flags = {flag.name: flag for flag in options.all_flags(CONFIGS[name])}
            flag = flags[arguments[-1][2:].split("=")[0]]
            flag.check(flag.parse(str(number)))


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_what_the_malformed_commands_are_made_from_is_right(name, monkeypatch):
    seen = []
    module = importlib.import_module(f"spatial_keras.commands.{name}")
    monkeypatch.setattr(module, "main", seen.append)
    commands.main([name, *RIGHT[name]])
    assert len(seen) == 1
