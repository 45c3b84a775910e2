"""The runner's connection: lines in, lines out, neither ever blocking the loop."""

from __future__ import annotations

import socket
from collections.abc import Callable

from st2actionrunner.keeper.loop import Loop

# Bytes. A request carries a command and an environment, which the kernel limits to less than that.
_MAX_LINE = 16 * 1024 * 1024


class Connection:
    def __init__(
        self, accepted: socket.socket, loop: Loop, on_line: Callable[[bytes], None], on_close: Callable[[], None]
    ) -> None:
        accepted.setblocking(False)
        self._socket = accepted
        self._loop = loop
        self._on_line = on_line
        self._on_close = on_close
        self._incoming = bytearray()
        # What the runner did not take yet: few bytes, because a run has one event on its way at most.
        self._outgoing = bytearray()
        self._stuck = False
        loop.watch(accepted.fileno(), self._ready)

    def send(self, data: bytes) -> None:
        waiting = bool(self._outgoing)
        self._outgoing += data
        if not waiting:
            self._write()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()

    def _ready(self) -> None:
        if self._outgoing:
            self._write()
        try:
            data = self._socket.recv(256 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._incoming += data
        if not data or len(self._incoming) > _MAX_LINE:
            self.close()
            self._on_close()
            return
        if b"\n" in data:
            *lines, rest = bytes(self._incoming).split(b"\n")
            self._incoming = bytearray(rest)
            for line in lines:
                self._on_line(line)

    def _write(self) -> None:
        if self._socket.fileno() < 0:
            return
        try:
            del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # the reading side learns of the end and closes
            return
        if self._stuck != bool(self._outgoing):
            self._stuck = not self._stuck
            self._loop.watch(self._socket.fileno(), self._ready, writable=self._stuck)
