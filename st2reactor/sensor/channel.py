"""The two sockets between the process of a sensor and its container: lines of JSON.

On **calls** the sensor asks and the container answers, one at a time::

    {"method": "dispatch", "trigger": ..., "payload": ..., "trace_context": ...}  ->  {}  or  {"refused": "why"}
    {"method": "failed", "error": "ImportError: ..."}                             ->  {}

On **orders** the container tells: first what there is to run (:mod:`.process`), then ::

    {"order": "add_trigger" | "update_trigger" | "remove_trigger", "trigger": {...}}

The end of either socket means that the other side is gone.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any, BinaryIO

# Bytes of one line. A document of the database can hold 16 MiB, and there is more in an event than its payload.
MAX_LINE = 15 * 1024 * 1024


class Refused(Exception):
    """The container does not do what was asked."""


class ContainerGone(Exception):
    """Nobody is there to be asked."""


class Calls:
    """The sensor's end of the socket for calls. Any thread may call; they wait for one another."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._answers = self._socket.makefile("rb")
        self._lock = threading.Lock()

    def call(self, method: str, **arguments: Any) -> None:
        """
        Raises:
            Refused: with the container's reason.
            ContainerGone: there is no container any more.
            TypeError, ValueError: the arguments cannot be sent.
        """
        line = encode({"method": method, **arguments})
        with self._lock:
            try:
                self._socket.sendall(line)
                answer = read(self._answers)
            except OSError as error:
                raise ContainerGone(str(error)) from error
        if answer is None:
            raise ContainerGone("the container has closed its socket")
        if "refused" in answer:
            raise Refused(answer["refused"])


def encode(message: dict[str, Any]) -> bytes:
    """
    Raises:
        TypeError: something in it has no form in JSON.
        ValueError: it is too large, or has numbers that JSON has not.
    """
    line = json.dumps(message, allow_nan=False).encode() + b"\n"
    if len(line) > MAX_LINE:
        raise ValueError(f"a message of {len(line)} bytes is larger than {MAX_LINE}")
    return line


def read(file: BinaryIO) -> dict[str, Any] | None:
    """The next message; None at the end.

    Raises:
        ValueError: it is no message.
    """
    line = file.readline(MAX_LINE + 1)
    if not line.endswith(b"\n"):
        if len(line) > MAX_LINE:
            raise ValueError(f"a message is larger than {MAX_LINE} bytes")
        return None
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is no object")
    return message
