"""Kills a table of tiny runs again and again, and compares it with one that is left alone.

Example: python scripts/soak.py --seeds=10 --kills=20
"""

import dataclasses
import json
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
_MEGABYTE = 2**20

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
    """

    process: subprocess.Popen
    begun: dict[int, float] = dataclasses.field(default_factory=dict)
    memory: dict[int, int] = dataclasses.field(default_factory=dict)
    lines: list[str] = dataclasses.field(default_factory=list)

    def listen(self) -> None:
        """Notes what the process says, until its end."""
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


def start(folder: pathlib.Path) -> Life:
    """Starts the table in a folder, or goes on with it."""
    script = pathlib.Path(__file__).with_name("table.py")
    options = [f"--defenses={_DEFENSES}", f"--seeds={_SEEDS.value}", f"--output_dir={folder}"]
    process = subprocess.Popen(
        [sys.executable, str(script), *_TINY, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    life = Life(process)
    threading.Thread(target=life.listen, daemon=True).start()
    return life


def end(life: Life) -> None:
    """Raises RuntimeError if a table that has ended failed."""
    if life.process.wait():
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


def main(_: list[str]) -> None:
    """Makes the two tables and says how they compare."""
    with tempfile.TemporaryDirectory() as temporary:
        whole, killed = (pathlib.Path(temporary, name) for name in ("whole", "killed"))
        life = start(whole)
        life.watch()
        end(life)
        number, ended = max(life.begun), time.monotonic()
        first, last = life.memory[1], life.memory[number]
        print(f"{number} runs; resident memory in MiB:")
        print(*(f"{life.memory[run] / _MEGABYTE:.0f}" for run in sorted(life.begun)))
        print(f"the last run against the first: {100 * (last / first - 1):+.1f}%")

        rng = random.Random(_SEED.value)
        seconds = (ended - life.begun[1]) / number
        runs = sorted(rng.randint(1, number) for _ in range(_KILLS.value))
        kills = sum(kill(start(killed), run, rng.uniform(0, seconds)) for run in runs)
        end(start(killed))
        found, expected = accuracies(killed), accuracies(whole)
        print(f"killed {kills} times; runs with other accuracies: "
              f"{[run for run in expected if found.get(run) != expected[run]]}")  # fmt: skip
        rows = [(folder / "table.csv").read_text().splitlines() for folder in (whole, killed)]
        print(len(found), len(rows))


if __name__ == "__main__":
    app.run(main)
