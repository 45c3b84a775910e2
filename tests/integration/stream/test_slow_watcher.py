"""A watcher that does not read costs the service no memory and nobody else any time, and gets everything in the end."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from st2cli.sse import EventParser
from tests.integration.stream.action import Action
from tests.integration.stream.service import DEADLINE, StreamProcess

MIB = 1024 * 1024
PRINTED = 48 * MIB
# A feed's ring takes 8 MiB of it, and each watcher that reads the database a page of 4 MiB. However much is printed.
MOST_MEMORY = 44 * MIB
SLOW_WATCHERS = 2


class RawWatcher:
    """A watcher with a small receive buffer, so that what it does not read stays with the service."""

    def __init__(self, service: StreamProcess, target: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(DEADLINE)
        self._socket.connect(("127.0.0.1", service.port))
        # The older protocol has no framing: the body is what comes up to the end of the connection.
        self._socket.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        self._rest = b""
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._socket.recv(1024)
        self._rest = self._rest.partition(b"\r\n\r\n")[2]
        self.digest = hashlib.sha256()
        self.last = ""

    def read_slowly(self, seconds: int) -> None:
        """A byte in each second."""
        for _ in range(seconds):
            self._rest += self._socket.recv(1)
            time.sleep(1)

    def read_all(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
        parser = EventParser()
        received = self._rest
        while received or (received := self._socket.recv(MIB)):
            for event in parser.feed(received):
                self.last = event.name
                if event.name == "st2.execution.output__create":
                    self.digest.update(json.loads(event.data)["data"].encode())
            received = b""
        self._socket.close()


@pytest.fixture
def fresh_service(database_uri: str, stream_database: Database[dict[str, Any]]) -> Iterator[StreamProcess]:
    process = StreamProcess(database_uri, stream_database.name, "1", "1")
    yield process
    process.close()


def test_watchers_that_do_not_read(fresh_service: StreamProcess, stream_database: Database[dict[str, Any]]) -> None:
    service = fresh_service
    running = Action(stream_database, service).run()
    output = f"/v1/executions/{running.id}/output"
    end = f"end_event=st2.execution__update&end_execution_id={running.id}"
    events = f"/v1/stream?events=st2.execution.output__create,st2.execution__update&{end}"
    slow = [RawWatcher(service, target) for target in [output, events] * (SLOW_WATCHERS // 2)]
    fast = RawWatcher(service, output)
    reading = threading.Thread(target=fast.read_all)
    reading.start()
    expected = hashlib.sha256()
    before = service.state()["memory"]["now"]
    for number in range(PRINTED // MIB):
        text = f"{number:07}\n" * (MIB // 8)
        expected.update(text.encode())
        running.print(text)
    running.end()
    # It has everything while the others have nothing yet.
    reading.join(DEADLINE)
    assert not reading.is_alive()
    assert fast.digest.digest() == expected.digest()
    most = service.state()["memory"]["most"]
    assert most - before < MOST_MEMORY
    for watcher in slow:
        watcher.read_all()
        assert watcher.digest.digest() == expected.digest()
    assert [watcher.last for watcher in (fast, *slow)] == [
        "EOF",
        *["EOF", "st2.execution__update"] * (SLOW_WATCHERS // 2),
    ]
    assert service.state()["memory"]["most"] - before < MOST_MEMORY


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_watcher_that_reads_a_byte_in_each_second(
    fresh_service: StreamProcess, stream_database: Database[dict[str, Any]]
) -> None:
    service = fresh_service
    running = Action(stream_database, service).run()
    target = f"/v1/executions/{running.id}/output"
    slow, fast = RawWatcher(service, target), RawWatcher(service, target)
    reading = [threading.Thread(target=slow.read_slowly, args=(60,)), threading.Thread(target=fast.read_all)]
    for thread in reading:
        thread.start()
    expected = hashlib.sha256()
    before = service.state()["memory"]["now"]
    for number in range(PRINTED // MIB):
        text = f"{number:07}\n" * (MIB // 8)
        expected.update(text.encode())
        running.print(text)
    running.end()
    reading[1].join(DEADLINE)
    assert fast.digest.digest() == expected.digest()
    reading[0].join()
    assert service.state()["memory"]["most"] - before < MOST_MEMORY
    slow.read_all()
    assert slow.digest.digest() == expected.digest()
