"""What TF_CONFIG may say, and how workers meet."""

import contextlib
import json
import socket
import threading
import time

import pytest

from spatial_keras.experiments import cluster


def free_ports(number):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def config(addresses, index=0, job="worker"):
    task = {"type": job, "index": index}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def workers(number):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(number)]
    return [cluster.read(config(addresses, index)) for index in range(number)]


def meet(members, tasks, seconds=20):
    """What each of the members finds when they meet: None, or the message of its error."""
    found = {}

    def one(member, task):
        try:
            found[member.index] = cluster.meet(member, task, seconds)
        except ValueError as error:
            found[member.index] = str(error)

    threads = [threading.Thread(target=one, args=pair) for pair in zip(members, tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[member.index] for member in members]


def test_the_chief_comes_first():
    jobs = {"worker": ["b:1", "c:2"], "chief": ["a:1"]}
    task = {"type": "worker", "index": 1}
    found = cluster.read(json.dumps({"cluster": jobs, "task": task}))
    assert found.addresses == ("a:1", "b:1", "c:2")
    assert found.names == ("chief 0", "worker 0", "worker 1")
    assert found.index == 2 and not found.is_chief
    assert cluster.read(config(["a:1"])).is_chief


def test_a_wrong_tf_config_is_one_line():
    for text, message in [
        ("worker 1 of 2", "TF_CONFIG must be JSON such as {.* got 'worker 1 of 2'"),
        ("[1]", "TF_CONFIG has no 'cluster'"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG has no 'task'"),
        (config(["a:1", "b:1"], 2), "names task worker 2, and its cluster has worker 0, worker 1"),
        (config(["a:1"], 0, "chief"), "names task chief 0, and its cluster has worker 0"),
        (config(["a:1", "b"]), r"job 'worker' .* must be a list of addresses HOST:PORT"),
        (config(["a:70000"]), "must be a list of addresses HOST:PORT"),
        (config(["a:1", "a:1"]), "an address twice: a:1, a:1"),
        ('{"cluster": {"ps": ["a:1"]}, "task": {}}', "the jobs chief and worker only, got .'ps'"),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            cluster.read(text)
        assert "\n" not in str(error.value)


def test_workers_with_one_task_meet():
    assert meet(workers(3), [{"steps": "6"}] * 3) == [None] * 3


def test_a_worker_may_come_late():
    members, found = workers(2), []
    late = threading.Thread(target=lambda: found.append(cluster.meet(members[1], {}, 20)))
    threading.Timer(0.5, late.start).start()
    cluster.meet(members[0], {}, 20)
    late.join()
    assert found == [None]


def test_other_flags_are_named_by_both():
    tasks = [{"steps": "6", "seed": "1"}, {"steps": "7", "seed": "1", "fill": "black"}]
    assert meet(workers(2), tasks) == [
        "worker 1 was started with other flags (--fill is black there, not set here; "
        "--steps is 7 there, 6 here).",
        "worker 0 was started with other flags (--fill is not set there, black here; "
        "--steps is 6 there, 7 here).",
    ]


def test_who_does_not_come_is_named():
    members = workers(3)
    found = meet(members[:2], [{}] * 2, seconds=0.5)
    assert all(f"worker 2 ({members[2].addresses[2]}) did not come" in text for text in found)


def test_an_address_that_is_taken_is_one_line():
    (member,) = workers(1)
    with socket.create_server(("", int(member.addresses[0].split(":")[1]))):
        with pytest.raises(ValueError, match="cannot listen at worker 0 .* in use"):
            cluster.meet(member, {}, 1)


def test_a_tf_config_of_brackets_is_one_line():
    with pytest.raises(ValueError, match="^TF_CONFIG must be JSON such as"):
        cluster.read("[" * 100_000)
    with pytest.raises(ValueError, match="must be a list of addresses"):
        cluster.read(config(["a:\u00b2"]))


def test_a_stranger_at_a_workers_address_is_no_worker():
    for answer in ("null", "[1]", '"x"', '{"steps": 6}', "[" * 60_000, "words"):
        first, second = workers(2)
        host, port = second.addresses[1].split(":")
        with socket.create_server((host, int(port))) as stranger:
            stranger.settimeout(10)
            threading.Thread(target=answer_once, args=(stranger, answer), daemon=True).start()
            with pytest.raises(ValueError, match=r"^worker 1 \(.*\) did not come within 0.3 s"):
                cluster.meet(first, {}, 0.3)


def answer_once(server, answer):
    connection, _ = server.accept()
    with connection:
        connection.recv(100)
        connection.sendall(answer.encode() + b"\n")


def test_none_but_workers_get_an_answer():
    member, _ = workers(2)
    host, port = member.addresses[0].split(":")
    meeting = threading.Thread(target=lambda: meet([member], [{"steps": "6"}], 2))
    meeting.start()
    answers = {}
    for number in (b"1", b"2", b"-1", b"x"):
        with connected(host, int(port)) as connection:
            connection.sendall(number + b"\n")
            answers[number] = connection.makefile("rb").readline()
    with connected(host, int(port), source=("127.0.0.2", 0)) as connection:
        connection.sendall(b"1\n")
        answers["elsewhere"] = connection.makefile("rb").readline()
    meeting.join()
    assert answers.pop(b"1") == b'{"steps": "6"}\n'
    assert set(answers.values()) == {b""}


def connected(host, port, source=None):
    """Returns a connection to what may not listen yet."""
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection((host, port), timeout=5, source_address=source)
        time.sleep(0.02)
    raise ConnectionRefusedError
