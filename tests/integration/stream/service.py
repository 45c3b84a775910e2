"""The stream service over a real socket, and clients of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from st2cli.sse import Event, EventParser

# Seconds in which whatever is to happen has happened, also on a machine that is busy.
DEADLINE = 20

_PROGRAM = Path(__file__).with_name("stream_process.py")


class StreamProcess:
    """The service's process. It is the transport of those who play the runner, where no real broker is."""

    def __init__(self, *arguments: str) -> None:
        self._lock = threading.Lock()
        words = [sys.executable, str(_PROGRAM), *arguments]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._commands, self._answers = self._process.stdin, self._process.stdout
        self.port = int(self._answers.readline())

    def notify(self, exchange: str, routing_key: str, body: dict[str, Any]) -> None:
        self._send([exchange, routing_key, body])

    def state(self) -> dict[str, Any]:
        self._send("state")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    def close(self) -> None:
        self._commands.close()
        assert self._process.wait(DEADLINE) == 0
        self._answers.close()

    @contextlib.contextmanager
    def get(self, path: str, cursor: str = "", **query: str) -> Iterator[http.client.HTTPResponse]:
        """An answer whose headers are there. Leaving hangs up."""
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        headers = {"Last-Event-ID": cursor.encode()} if cursor else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request("GET", target, headers=headers)
            with connection.getresponse() as answer:
                yield answer

    @contextlib.contextmanager
    def watch(self, path: str, cursor: str = "", **query: str) -> Iterator[Watcher]:
        with self.get(path, cursor, **query) as answer:
            assert answer.status == 200, answer.read()
            assert answer.headers["Content-Type"] == "text/event-stream; charset=UTF-8"
            yield Watcher(answer)

    def output(self, execution_id: str, cursor: str = "", **query: str) -> contextlib.AbstractContextManager[Watcher]:
        return self.watch(f"/v1/executions/{execution_id}/output", cursor, **query)

    @contextlib.contextmanager
    def events(self, **query: str) -> Iterator[Watcher]:
        """A client of ``/stream`` that gets everything from now on."""
        with self.watch("/v1/stream", **query) as watcher:
            assert watcher.answer.read(1) == b"\n"
            yield watcher

    def _send(self, command: Any) -> None:
        with self._lock:
            self._commands.write(json.dumps(command).encode() + b"\n")
            self._commands.flush()


class Watcher:
    """The events of one answer, as they come."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer
        self.headers = answer.headers
        self._parser = EventParser()
        self._parsed: list[Event] = []

    def __iter__(self) -> Iterator[Event]:
        while True:
            while self._parsed:
                yield self._parsed.pop(0)
            received = self.answer.read1(1 << 16)
            if not received:
                return
            self._parsed += self._parser.feed(received)

    def next(self) -> Event:
        return next(iter(self))

    def document(self) -> Any:
        """The data of the next event."""
        return json.loads(self.next().data)

    def told(self, count: int) -> list[tuple[str, Any]]:
        """What the next events tell, in short."""
        return [brief(self.next()) for _ in range(count)]

    def rest(self) -> list[tuple[str, Any]]:
        """The same of all that comes until the stream ends."""
        return [brief(event) for event in self]


def brief(event: Event) -> tuple[str, Any]:
    """An event's name without what they all have, and what it is about."""
    name = event.name.removeprefix("st2.")
    if event.name == "EOF":
        return name, event.data
    document = json.loads(event.data)
    return name, document.get("data", document.get("status"))


def text_of(events: list[tuple[str, Any]]) -> str:
    return "".join(told for name, told in events if name == "execution.output__create")
