"""Both HTTP engines as processes: what a stop does to streams, idle connections and requests that will end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from st2common.http.app import MAX_BODY_BYTES
from st2common.http.serving import HttpServer
from tests.conditions import eventually
from tests.servers import free_ports

# Seconds in which whatever is to happen has happened, also on a machine that is busy.
DEADLINE = 20


class Served:
    def __init__(self, engine: str, state: Path) -> None:
        [self.port] = free_ports(1)
        self.state = state
        self._printed = state / "printed"
        words = [sys.executable, "-m", "tests.integration.served_app", engine, str(self.port), str(state)]
        with self._printed.open("w") as printed:
            self.process = subprocess.Popen(words, stdout=printed, stderr=subprocess.DEVNULL)

    def is_ready(self) -> bool:
        assert self.process.poll() is None
        return any(json.loads(file.read_text())["ready"] for file in (self.state / "services").glob("*.json"))

    def printed(self) -> str:
        return self._printed.read_text()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Served]]:
    running: list[Served] = []

    def start(engine: str) -> Served:
        running.append(Served(engine, tmp_path))
        eventually(running[-1].is_ready, timeout=DEADLINE)
        return running[-1]

    yield start
    for served in running:
        served.process.terminate()
        served.process.wait(DEADLINE)


@pytest.mark.parametrize("engine", ["gunicorn", "gevent"])
def test_a_stop_cuts_streams_and_lets_requests_end(serve: Callable[[str], Served], engine: str) -> None:
    served = serve(engine)
    idle, streaming, waiting = served.connect(), served.connect(), served.connect()
    idle.request("GET", "/v1/nothing")
    assert idle.getresponse().read()
    streaming.request("GET", "/v1/stream")
    stream = streaming.getresponse()
    assert stream.readline() == b"first\n"
    waiting.request("GET", "/v1/wait")
    eventually(lambda: "waiting" in served.printed())

    served.process.send_signal(signal.SIGTERM)
    with pytest.raises(http.client.IncompleteRead):
        stream.read()
    assert idle.sock.recv(1) == b""
    # Both happened while this request was still being answered.
    (served.state / "release").touch()
    assert waiting.getresponse().read() == b'"released"'

    assert served.process.wait(DEADLINE) == 0
    assert "the stream is closed" in served.printed()
    assert list((served.state / "services").iterdir()) == []
    for connection in (idle, streaming, waiting):
        connection.close()


def test_a_silent_stream_learns_that_its_client_has_gone(serve: Callable[[str], Served]) -> None:
    served = serve("gevent")
    connection = served.connect()
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.readline() == b"first\n"
    answer.close()
    connection.close()
    eventually(lambda: "the client has gone\nthe stream is closed" in served.printed())


def test_a_body_without_length_is_limited_as_well(serve: Callable[[str], Served]) -> None:
    served = serve("gevent")
    connection = served.connect()
    piece = b" " * (1024 * 1024)
    pieces = (piece for _ in range(MAX_BODY_BYTES // len(piece) + 1))
    connection.request("POST", "/echo", pieces, {"Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "larger than" in json.load(answer)["faultstring"]
    connection.close()
    # Transfer-Encoding is what the client sends for a body of unknown length; a short one is taken.
    connection = served.connect()
    connection.request("POST", "/echo", iter([b"[1,", b"2]"]), {"Content-Type": "application/json"})
    assert json.load(connection.getresponse()) == [1, 2]
    connection.close()


def test_headers_that_do_not_end_do_not_keep_a_connection(serve: Callable[[str], Served]) -> None:
    served = serve("gevent")
    with socket.create_connection(("127.0.0.1", served.port), timeout=DEADLINE) as slow:
        slow.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        answer = b""
        while received := slow.recv(1 << 16):
            answer += received
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_line_does_not_wait_until_the_one_before_it_is_acknowledged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HttpServer(listener, lambda _environ, _start: [])
        server.start()
        try:
            with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            server.stop(1.0)
