"""Of 1,000 generated malformed commands none is accepted, and none gives more than one line."""

import importlib
import random

import pytest

from spatial_keras import commands
from spatial_keras.experiments import options

CONFIGS = {
    name: importlib.import_module(f"spatial_keras.commands.{name}").Config
    for name in commands.NAMES
}
# Flags with which each command is right so far.
RIGHT = {
    "train": [], "evaluate": ["--run=somewhere"], "table": ["--defenses=wo2_kl,std"], "tune": [],
    "plot": ["--all"], "report": ["--runs=."],
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


def malformed(rng, flagfiles):
    """Returns a command and arguments that are wrong by their making."""
    name = rng.choice(commands.NAMES)
    flags = options.all_flags(CONFIGS[name])
    flag = rng.choice(flags)
    kind = rng.choices(["value", "name", "stray", "flagfile", "bare"], [80, 8, 4, 6, 2])[0]
    made = {
        "value": lambda: f"--{flag.name}={wrong_value(flag, rng)}",
        "name": lambda: f"--{misspelled(flag.name, rng)}=1",
        "stray": lambda: rng.choice(["words", "=", "-", "train", "[/x]", "\u2028"]),
        "flagfile": lambda: f"--flagfile={rng.choice(flagfiles)}",
        "bare": lambda: f"--{rng.choice([f for f in flags if f.kind is not bool]).name}",
    }[kind]()
    return name, [*RIGHT[name], made]


@pytest.mark.parametrize("seed", range(10))
def test_no_malformed_command_is_accepted_and_each_gets_one_line(
    seed, flagfiles, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    for name in commands.NAMES:
        module = importlib.import_module(f"spatial_keras.commands.{name}")
        monkeypatch.setattr(module, "main", lambda config: pytest.fail(f"accepted {config}"))
    rng = random.Random(seed)
    for _ in range(100):
        name, arguments = malformed(rng, flagfiles)
        with pytest.raises(SystemExit) as end:
            commands.run(name, arguments)
        found = capsys.readouterr()
        assert end.value.code == 2, arguments
        assert found.err.startswith("error: ") and found.err.count("\n") == 1, arguments
        assert "Traceback" not in found.err and not found.out, arguments
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", commands.NAMES)
def test_what_the_malformed_commands_are_made_from_is_right(name, monkeypatch):
    seen = []
    module = importlib.import_module(f"spatial_keras.commands.{name}")
    monkeypatch.setattr(module, "main", seen.append)
    commands.run(name, RIGHT[name])
    assert len(seen) == 1
