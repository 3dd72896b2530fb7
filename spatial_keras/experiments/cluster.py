"""The processes that TF_CONFIG names, and how they meet before TensorFlow connects them.

TensorFlow waits for a worker that never comes, and does not know what the others train. So each
worker first tells all others, at the addresses that TensorFlow will use, what it was asked to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from spatial_keras.configuration import options

_JOBS = ("chief", "worker")
EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:9000", "10.0.0.2:9000"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
# Answers longer than this are not those of a worker.
_LONGEST = 1 << 20
_PAUSE = 0.1


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What TF_CONFIG says.

    Attributes:
      addresses: "host:port" of each worker, the chief's first.
      names: what TF_CONFIG calls them, such as "worker 1".
      index: which of them this process is.
    """

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0


def is_named() -> bool:
    """Returns whether there is a TF_CONFIG."""
    return bool(os.environ.get("TF_CONFIG"))


def read(text: str) -> Cluster:
    """Returns what TF_CONFIG says.

    Raises:
      ValueError: it is not JSON, has no cluster of workers, or names a task that is not there.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"TF_CONFIG must be JSON such as {EXAMPLE}, got '{text:.100}'.") from None
    jobs, task = (_part(found, name) for name in ("cluster", "task"))
    unknown = [job for job in jobs if job not in _JOBS]
    if unknown or not jobs:
        raise ValueError(
            f"the cluster of TF_CONFIG must have the jobs chief and worker only, got {[*jobs]}."
        )
    addresses, names = [], []
    for job in _JOBS:
        listed = jobs.get(job, [])
        if not isinstance(listed, list) or not all(map(_is_address, listed)):
            raise ValueError(
                f"job '{job}' of TF_CONFIG must be a list of addresses HOST:PORT, got {listed}."
            )
        addresses += listed
        names += [f"{job} {number}" for number in range(len(listed))]
    name = f"{task.get('type')} {task.get('index')}"
    if name not in names:
        raise ValueError(f"TF_CONFIG names task {name}, and its cluster has {', '.join(names)}.")
    if len({*addresses}) < len(addresses):
        raise ValueError(f"TF_CONFIG has an address twice: {', '.join(addresses)}.")
    return Cluster(tuple(addresses), tuple(names), names.index(name))


def _part(found: Any, name: str) -> Mapping[str, Any]:
    part = found.get(name) if isinstance(found, dict) else None
    if not isinstance(part, dict):
        raise ValueError(f"TF_CONFIG has no '{name}'; it must be like {EXAMPLE}.")
    return part


def _is_address(text: Any) -> bool:
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host and re.fullmatch("[0-9]{1,5}", port)) and 0 < int(port) < 1 << 16


def meet(cluster: Cluster, task: Mapping[str, str], seconds: float) -> None:
    """Waits until all workers are there, and compares what they are to do.

    Args:
      cluster: the workers.
      task: what this one is to do: flag -> text.
      seconds: how long to wait.

    Raises:
      ValueError: a worker did not come in time, is to do something else, or this worker's address
        is taken.
    """
    own = json.dumps(dict(task), sort_keys=True).encode() + b"\n"
    others = {*range(len(cluster.addresses))} - {cluster.index}
    end = time.monotonic() + seconds
    with _answering(cluster, own) as asked:
        answers: dict[int, dict[str, str]] = {}
        # Until all have asked, too: who ends earlier leaves others waiting for an answer.
        while len(answers) < len(others) or not asked >= others:
            for number in others - answers.keys():
                answer = _ask(cluster, number)
                if answer is not None:
                    answers[number] = answer
            if time.monotonic() > end:
                missing = [_place(cluster, n) for n in others if n not in answers or n not in asked]
                raise ValueError(
                    f"{', '.join(missing)} did not come within {seconds:g} s (--worker_timeout)."
                )
            time.sleep(_PAUSE)
    for number in sorted(answers):
        _compare(cluster.names[number], answers[number], task)


def _place(cluster: Cluster, number: int) -> str:
    return f"{cluster.names[number]} ({cluster.addresses[number]})"


def _compare(name: str, answer: Mapping[str, str], task: Mapping[str, str]) -> None:
    differing = options.contrast(answer, task)
    if differing:
        raise ValueError(f"{name} was started with other flags ({differing}).")


@contextlib.contextmanager
def _answering(cluster: Cluster, answer: bytes) -> Iterator[set[int]]:
    """Within, answers workers that ask at this one's address; yields which have asked so far."""
    asked: set[int] = set()
    done = threading.Event()
    try:
        server = _listening(*_host_and_port(cluster, cluster.index))
    except OSError as error:
        address = _place(cluster, cluster.index)
        raise ValueError(f"cannot listen at {address}: {error.strerror}.") from error
    server.settimeout(_PAUSE)

    def serve() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError, ValueError):
                connection, (host, *_) = server.accept()
                with connection:
                    connection.settimeout(1)
                    number = int(_line(connection))
                    if host in _hosts(cluster, number):
                        connection.sendall(answer)
                        asked.add(number)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join()
        server.close()


def _host_and_port(cluster: Cluster, number: int) -> tuple[str, int]:
    host, _, port = cluster.addresses[number].rpartition(":")
    return host.strip("[]"), int(port)


def _hosts(cluster: Cluster, number: int) -> set[str]:
    """Returns the addresses from which a worker may ask; none for what is no worker."""
    if not 0 <= number < len(cluster.addresses):
        return set()
    return {str(place[4][0]) for place in socket.getaddrinfo(*_host_and_port(cluster, number))}


def _listening(host: str, port: int) -> socket.socket:
    """Returns a socket that listens at one address and no other."""
    (family, _, _, _, place), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return socket.create_server(place, family=family)


def _ask(cluster: Cluster, number: int) -> dict[str, str] | None:
    """Returns what a worker is to do; None if it is not there, or another program answers."""
    own_host, _ = _host_and_port(cluster, cluster.index)
    try:
        with socket.create_connection(
            _host_and_port(cluster, number), timeout=1, source_address=(own_host, 0)
        ) as connection:
            connection.sendall(b"%d\n" % cluster.index)
            answer = json.loads(_line(connection))
    except (OSError, ValueError, RecursionError):
        return None
    is_task = isinstance(answer, dict) and all(isinstance(text, str) for text in answer.values())
    return answer if is_task else None


def _line(connection: socket.socket) -> bytes:
    """Returns what comes up to a line break."""
    found = b""
    while not found.endswith(b"\n") and len(found) < _LONGEST:
        part = connection.recv(4096)
        if not part:
            break
        found += part
    return found
