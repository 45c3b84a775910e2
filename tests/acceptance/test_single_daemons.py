"""One daemon as a process: how it starts, tells that it is ready, and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests

from tests.acceptance.conftest import Spawn
from tests.acceptance.status_files import status
from tests.conditions import eventually
from tests.integration.keepers import alive


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def asked(port: int, path: str) -> bytes:
    """The answer, or nothing where there is none or an error."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/v1/{path}", timeout=10)
    except requests.ConnectionError:
        return b""
    return answer.content if answer.ok else b""


@pytest.mark.parametrize("name", ["st2garbagecollector", "st2rulesengine", "st2sensorcontainer"])
def test_a_daemon_becomes_ready_and_ends_in_order(name: str, spawn: Spawn, conf: Path, tmp_path: Path) -> None:
    port = free_port()
    conf.write_text(f"{conf.read_text()}[monitoring]\nports = st2api:1, {name}:{port}\n")
    child = spawn(name, "--config-file", str(conf))
    told = eventually(lambda: status(tmp_path, child), timeout=30)
    assert told["name"] == name
    # The broker is waited for while the daemon works already.
    assert eventually(lambda: asked(port, "readyz").startswith(b'{"ready":true,'), timeout=30)
    assert asked(port, "healthz") == b'{"status":"ok"}'
    assert b"\nprocess_resident_memory_bytes " in asked(port, "metrics")
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 0
    assert list((tmp_path / "services").iterdir()) == []
    written = (tmp_path / "stderr").read_text()
    assert f"{name} is ready" in written
    assert "Traceback" not in written


@pytest.mark.parametrize("name", ["st2api", "st2stream"])
def test_an_http_daemon_answers_and_ends_in_order(name: str, spawn: Spawn, conf: Path, tmp_path: Path) -> None:
    port = free_port()
    conf.write_text(f"{conf.read_text()}[{name.removeprefix('st2')}]\nport = {port}\n")
    child = spawn(name, "--config-file", str(conf))
    told = eventually(lambda: status(tmp_path, child), timeout=30)
    assert told["listen"] == f"127.0.0.1:{port}"
    with pytest.raises(urllib.error.HTTPError, match="404") as answer:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/nothing/of/this/name", timeout=10)
    with answer.value:
        assert json.load(answer.value) == {"faultstring": "The resource could not be found."}
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 0
    assert list((tmp_path / "services").iterdir()) == []
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_a_second_signal_ends_a_daemon_at_once(spawn: Spawn, conf: Path, tmp_path: Path) -> None:
    child = spawn("st2garbagecollector", "--config-file", str(conf))
    eventually(lambda: status(tmp_path, child), timeout=30)
    # Both are there before it can do anything about the first.
    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        child.send_signal(number)
    assert child.wait(20) == 128 + signal.SIGTERM


def test_a_second_signal_ends_an_http_daemon_at_once(spawn: Spawn, conf: Path, tmp_path: Path) -> None:
    conf.write_text(f"{conf.read_text()}[api]\nport = {free_port()}\n")
    child = spawn("st2api", "--config-file", str(conf))
    eventually(lambda: status(tmp_path, child), timeout=30)
    [worker] = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    # It will not end in order.
    os.kill(int(worker), signal.SIGSTOP)
    child.send_signal(signal.SIGTERM)

    def ended_by_another() -> bool:
        child.send_signal(signal.SIGTERM)
        return child.poll() is not None

    eventually(ended_by_another, timeout=5)
    assert child.returncode == 128 + signal.SIGTERM
    eventually(lambda: not alive(int(worker)))


def test_a_daemon_waits_for_its_database(spawn: Spawn, tmp_path: Path) -> None:
    with socket.socket() as closed:
        # Bound and not listening: connections are refused, and nobody else gets the port.
        closed.bind(("127.0.0.1", 0))
        conf = tmp_path / "st2.conf"
        conf.write_text(
            f"[system]\nstate_path = {tmp_path}\n"
            f"[database]\nport = {closed.getsockname()[1]}\nconnection_timeout = 200\n"
        )
        child = spawn("st2garbagecollector", "--config-file", str(conf))
        eventually(lambda: "Waiting for the database" in (tmp_path / "stderr").read_text(), timeout=30)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) != 0


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "st2garbagecollector",
            "[garbagecollector]\nsleep_delay = soon\n",
            "[garbagecollector] sleep_delay must be of",
        ),
        ("st2garbagecollector", "[garbagecollector]\naction_executions_ttl = -1\n", "action_executions_ttl = -1"),
        ("st2rulesengine", "[monitoring]\nports = st2rulesengine:often\n", "[monitoring] ports: st2rulesengine:often"),
        ("st2garbagecollector", "[messaging]\nurl = redis://user:pw@127.0.0.1\n", "[messaging] url"),
        ("st2garbagecollector", "[database]\nhost = mongodb://\n", "[database]"),
        ("st2api", "[api]\nhost = 0.0.0.0\n[auth]\nenable = False\n", "loopback"),
        ("st2auth", "[auth]\nbackend_kwargs = {}\n", "[auth] backend_kwargs"),
        ("st2api", "[messaging]\nurl = redis://user:pw@127.0.0.1\n", "[messaging] url"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    spawn: Spawn, conf: Path, tmp_path: Path, name: str, text: str, told: str
) -> None:
    conf.write_text(f"{conf.read_text()}[api]\nport = {free_port()}\n")
    wrong = tmp_path / "wrong.conf"
    wrong.write_text(text)
    # The right file first: nothing else is wrong.
    child = spawn(name, "--config-file", str(conf), "--config-file", str(wrong))
    assert child.wait(30) == 2
    written = (tmp_path / "stderr").read_text()
    (line,) = [line for line in written.splitlines() if line.startswith(f"{name}: ")]
    assert told in line
    assert "pw" not in written
    assert "Traceback" not in written
