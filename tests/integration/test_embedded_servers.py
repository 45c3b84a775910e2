"""Servers as child processes: which go with their parent, which stay, and how they end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pymongo
import pytest

from st2ctl.embedded import EmbeddedDatabase, ServerFailed
from tests.conditions import eventually
from tests.servers import free_ports, running_database

SUPERVISOR = """
import sys, time
from pathlib import Path
from st2ctl.embedded import EmbeddedDatabase, PrivateRabbitMQ

directory, ports = Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]
database = EmbeddedDatabase(directory / "database", ports[0])
broker = PrivateRabbitMQ(directory / "broker", *ports[1:])
database.start()
broker.start()
epmd = int((directory / "broker" / "epmd.pid").read_text().split()[0])
print(database.pid, broker.pid, epmd, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended; whoever inherited it has not collected it yet.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_supervised_servers_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    ports = [str(port) for port in free_ports(4)]
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(pids) == 3
        assert all(is_running(pid) for pid in pids)
        supervisor.kill()
    for pid in pids:
        eventually(lambda pid=pid: not is_running(pid), timeout=20)


def test_an_unsupervised_server_is_stopped_by_another_process(tmp_path: Path) -> None:
    [port] = free_ports(1)
    starter = (
        "import sys; from pathlib import Path; from st2ctl.embedded import EmbeddedDatabase;"
        "EmbeddedDatabase(Path(sys.argv[1]), int(sys.argv[2]), supervised=False).start()"
    )
    subprocess.run([sys.executable, "-c", starter, str(tmp_path), str(port)], check=True, timeout=60)
    server = EmbeddedDatabase(tmp_path, port, supervised=False)
    pid = server.pid
    assert pid is not None
    with pymongo.MongoClient(server.uri) as client:  # type: ignore[var-annotated]
        client.test.things.insert_one({"_id": 1})
    server.stop()
    assert server.pid is None
    assert not is_running(pid)
    server.stop()  # again: does nothing


def test_what_was_acknowledged_survives_a_crash(tmp_path: Path) -> None:
    with running_database(tmp_path) as server:
        with pymongo.MongoClient(server.uri) as client:  # type: ignore[var-annotated]
            client.test.things.insert_many([{"_id": n} for n in range(100)])
        server.kill()
        assert server.pid is None
        server.start()
        with pymongo.MongoClient(server.uri) as client:
            assert client.test.things.count_documents({}) == 100


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = EmbeddedDatabase(tmp_path, taken.getsockname()[1])
        with pytest.raises(ServerFailed, match=r"database ended while it started:\n(.*\n)*.*in use"):
            server.start(timeout=20)
    assert server.pid is None
