"""What systemd is told, and by whom."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2common import service
from st2common.systemd import Systemd
from tests.conditions import eventually


class Receiver:
    """systemd's side of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self._socket.settimeout(10)

    def next(self) -> str:
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(str(tmp_path / "notify") if request.param == "path" else f"@st2-test-{tmp_path}")
    yield receiver
    receiver.close()


def test_the_watchdog_is_fed_only_while_all_is_well(receiver: Receiver) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": receiver.address})
    systemd.ready()
    systemd.alive(None)
    systemd.alive("no connection\nWATCHDOG=1")
    systemd.stopping()
    assert [receiver.next() for _ in range(4)] == [
        "READY=1",
        "STATUS=healthy\nWATCHDOG=1",
        "STATUS=no connection WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_nobody_else_speaks_for_the_daemon(receiver: Receiver) -> None:
    environment = {"NOTIFY_SOCKET": receiver.address, "LANG": "C"}
    Systemd(environment)
    assert environment == {"LANG": "C"}


def test_a_service_manager_that_has_gone_is_no_reason_to_end(tmp_path: Path) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive(None)
    Systemd({}).alive(None)


class Sick:
    """A service that is not well from a moment on."""

    name = "sick"
    problem: str | None = None

    def start(self) -> None:
        pass

    def stop(self, deadline: float) -> None:
        pass

    def health(self) -> str | None:
        return self.problem


def test_a_daemon_tells_its_life(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", receiver.address)
    monkeypatch.setattr(service, "HEARTBEAT_INTERVAL", 0.01)
    stop, reopen, drain = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(service, "signals", lambda: contextlib.nullcontext((stop, reopen, drain)))
    sick = Sick()
    thread = threading.Thread(target=service.run, args=("st2test", [sick], tmp_path, 1.0))
    thread.start()
    try:
        assert receiver.next() == "READY=1"
        assert receiver.next() == "STATUS=healthy\nWATCHDOG=1"
        sick.problem = "the broker is away"
        eventually(lambda: receiver.next() == "STATUS=the broker is away")
        assert receiver.next() == "STATUS=the broker is away"
    finally:
        stop.set()
        thread.join(10)
    eventually(lambda: receiver.next() == "STOPPING=1\nSTATUS=stopping")
