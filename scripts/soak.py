"""Kills a table of tiny runs again and again, and compares it with one that is left alone.

Example: python scripts/soak.py --seeds=10 --kills=20
"""

import dataclasses
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

from absl import app, flags

_DEFENSES = "std,wo2_at,pgd2_kl"
_TINY = (
    "--model=resnet8 --width=0.125 --image_size=8 --batch_size=16 --max_translation=1 --xla=off "
    "--steps=12 --checkpoint_every=3 --log_every=3 --test_images=30"
).split()
_BEGIN = re.compile(r"run (\d+) of \d+: \w+, seed \d+$")
_ROOT = pathlib.Path(__file__).parents[1]

_SEEDS = flags.DEFINE_integer("seeds", 10, f"Runs of each of {_DEFENSES}.", 1)
_KILLS = flags.DEFINE_integer("kills", 20, "How often the second table is killed.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments of the kills.")


@dataclasses.dataclass
class Life:
    """A process of table.py, from its start to its end.

    Attributes:
      process: it.
      begun: of each run that it began, the number and when.
      memory: of each run, the most resident memory while it was at work, in bytes.
      lines: all that it said.
      listener: notes it, until the end.
    """

    process: subprocess.Popen
    begun: dict[int, float] = dataclasses.field(default_factory=dict)
    memory: dict[int, int] = dataclasses.field(default_factory=dict)
    lines: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if found := _BEGIN.match(self.lines[-1]):
                self.begun[int(found[1])] = time.monotonic()

    def watch(self) -> None:
        """Notes how much memory the process holds, until its end."""
        while self.process.poll() is None:
            run = max(self.begun, default=0)
            self.memory[run] = max(self.memory.get(run, 0), self._resident())
            time.sleep(0.02)

    def _resident(self) -> int:
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        except OSError:  # it has ended meanwhile
            return 0
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return 1024 * int(found[1]) if found else 0


def start(folder: pathlib.Path, seeds: int) -> Life:
    """Starts the table in a folder, or goes on with it."""
    options = [f"--defenses={_DEFENSES}", f"--seeds={seeds}", f"--output_dir={folder}"]
    process = subprocess.Popen(
        [sys.executable, str(_ROOT / "scripts" / "table.py"), *_TINY, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )  # fmt: skip
    life = Life(process)
    life.listener.start()
    return life


def end(life: Life) -> None:
    """Raises RuntimeError if a table that has ended failed."""
    code = life.process.wait()
    life.listener.join()
    if code:
        raise RuntimeError("\n".join(life.lines[-20:]))


def kill(life: Life, run: int, after: float) -> bool:
    """Kills a table some seconds after it began a run; returns whether it was still there."""
    while not any(number >= run for number in life.begun):
        if life.process.poll() is not None:
            end(life)
            return False
        time.sleep(0.01)
    time.sleep(after)
    was_there = life.process.poll() is None
    life.process.kill()
    life.process.wait()
    return was_there


def accuracies(folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """Returns the accuracies of all runs in a folder, whose JSON holds every bit."""
    files = sorted(folder.glob("*/results.json"))
    return {file.parent.name: json.loads(file.read_text())["accuracies"] for file in files}


def growth(memory: dict[int, int], seeds: int) -> dict[str, tuple[int, int]]:
    """Returns the memory of the first and the last run of each defense, in MiB.

    Runs of different defenses hold different amounts.
    """
    found = {}
    for i, name in enumerate(_DEFENSES.split(",")):
        first, last = i * seeds + 1, (i + 1) * seeds
        found[name] = tuple(round(memory[run] / 2**20) for run in (first, last))
    return found


def soak(
    folder: pathlib.Path, seeds: int, kills: int, seed: int
) -> tuple[dict[str, tuple[int, int]], int]:
    """Makes a table that is left alone, and one that is killed, in a folder.

    Args:
      folder: of the two, which are `whole` and `killed` in it.
      seeds: runs of each defense.
      kills: how often the second is killed, if it does not end before.
      seed: of the moments of the kills.

    Returns:
      The memory of the first, see `growth`, and how often the second was killed.
    """
    life = start(folder / "whole", seeds)
    life.watch()
    end(life)
    number = len(life.begun)
    seconds = (time.monotonic() - life.begun[1]) / number
    rng = random.Random(seed)
    runs = sorted(rng.randint(1, number) for _ in range(kills))
    killed = folder / "killed"
    kills = sum(kill(start(killed, seeds), run, rng.uniform(0, seconds)) for run in runs)
    end(start(killed, seeds))
    return growth(life.memory, seeds), kills


def main(_: list[str]) -> None:
    """Makes the two tables and says how they compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        memory, kills = soak(folder, _SEEDS.value, _KILLS.value, _SEED.value)
        expected, found = accuracies(folder / "whole"), accuracies(folder / "killed")
    different = [run for run in {*expected, *found} if found.get(run) != expected.get(run)]
    print(f"{len(expected)} runs, killed {kills} times, with other accuracies: {different}")
    for name, (first, last) in memory.items():
        print(f"{name}: {first} MiB in its first run, {last} in its last, {last / first - 1:+.1%}")


if __name__ == "__main__":
    app.run(main)
