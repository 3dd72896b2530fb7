"""What it costs to share a step out to workers; `benchmark.py distribute` shows it."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

_TRAIN = pathlib.Path(__file__).with_name("train.py")
_FLAGS = (
    "--dataset=digits --image_size=32 --model=resnet32 --defense=wo3_kl --batch_size=64 "
    "--test_images=10 --log_every=5"
)


def measure_distribute(rounds: int) -> list[tuple[str, str, str]]:
    """A step of two workers with a core each, against one process with both cores."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("distribute needs two cores.")
    # The first log has the tracing.
    steps = f"--steps={5 * (rounds + 1)}"
    one = seconds_per_step(steps, [{*cores}])
    two = seconds_per_step(steps, [{core} for core in cores])
    return [
        ("step of two workers / of one process", f"{two / one:.2f}", "at most 1.25"),
        ("  seconds", f"two workers {two:.3f}, one process {one:.3f}", ""),
    ]


def seconds_per_step(steps: str, cores: list[set[int]]) -> float:
    """Returns the seconds of a training step of workers that have these cores each."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(len(cores))]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, _TRAIN, *_FLAGS.split(), steps, f"--output_dir={folder}"]
        workers = []
        for index, mine in enumerate(cores):
            environment = dict(os.environ)
            if len(cores) > 1:
                task = {"type": "worker", "index": index}
                config = {"cluster": {"worker": addresses}, "task": task}
                environment["TF_CONFIG"] = json.dumps(config)
            # The number of TensorFlow's threads is that of the cores it finds.
            pinned = ["taskset", "--cpu-list", ",".join(map(str, sorted(mine))), *command]
            workers.append(subprocess.Popen(pinned, env=environment, stdout=subprocess.DEVNULL))
        codes = [worker.wait() for worker in workers]
        if any(codes):
            raise SystemExit(f"train.py failed: exit status {max(codes)}.")
        results = json.loads(pathlib.Path(folder, "results.json").read_text(encoding="utf-8"))
    return results["timing"]["seconds_per_step"]


def _free_ports(number: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports
