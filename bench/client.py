"""The benchmark's client of the platform: plain sockets, so that what is measured is the platform."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.platform import Platform

# Seconds after which something that should have happened has not.
DEADLINE = 120.0

_ENDED = ("succeeded", "failed", "timeout", "canceled", "abandoned")


class Api:
    """One connection to the API. Not thread-safe."""

    def __init__(self, platform: Platform) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", platform.api, timeout=DEADLINE)

    def post(self, action: str, **parameters: Any) -> str:
        """Start an action; the execution's id."""
        body = json.dumps({"action": action, "parameters": parameters})
        return str(self._call("POST", "/v1/executions", body)["id"])

    def get(self, execution_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v1/executions/{execution_id}")

    def raw_stdout(self, execution_id: str) -> Iterator[bytes]:
        """What is stored of the execution's standard output."""
        self._connection.request("GET", f"/v1/executions/{execution_id}/stdout?follow=false")
        answer = self._connection.getresponse()
        while block := answer.read(1 << 20):
            yield block

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Any other request; the answer's JSON."""
        return self._call(method, path, None if body is None else json.dumps(body))

    def close(self) -> None:
        self._connection.close()

    def _call(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found


class Ends:
    """Learns from the event stream when executions end, as a client of the platform does."""

    def __init__(self, platform: Platform) -> None:
        self._socket = socket.create_connection(("127.0.0.1", platform.stream))
        self._socket.sendall(b"GET /v1/stream?events=st2.execution__update HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        self._file = self._socket.makefile("rb")
        status = self._file.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"the event stream answers {status!r}")
        while self._file.readline().strip():
            pass
        self._changed = threading.Condition()
        self._ended: dict[str, tuple[float, dict[str, Any]]] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def wait(self, execution_id: str) -> float:
        """When the event of its end came, on the clock of ``time.perf_counter``."""
        with self._changed:
            if not self._changed.wait_for(lambda: execution_id in self._ended, DEADLINE):
                raise TimeoutError(f"execution {execution_id} has not ended after {DEADLINE:.0f} s")
            at, execution = self._ended.pop(execution_id)
        if execution["status"] != "succeeded":
            raise RuntimeError(f"execution {execution_id} is {execution['status']}: {execution.get('result')}")
        return at

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._file.close()
        self._socket.close()

    def _listen(self) -> None:
        for line in self._file:
            if line.startswith(b"data: {"):
                at = time.perf_counter()
                document = json.loads(line[6:])
                if document["status"] in _ENDED:
                    with self._changed:
                        self._ended[document["id"]] = (at, document)
                        self._changed.notify_all()


class Gate:
    """A named pipe at which an action waits until everybody is ready."""

    def __init__(self, platform: Platform) -> None:
        self.path = platform.directory / f"gate-{time.monotonic_ns()}"
        os.mkfifo(self.path)

    def open(self) -> None:
        """Wait until the action is at the gate, then let it go on."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                gate = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:  # nobody reads yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)
        os.write(gate, b"\n")
        os.close(gate)
        Path(self.path).unlink()
