"""A TCP proxy that can make the network fail: what it swallows is gone, and nobody is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from enum import Flag, auto


class Swallow(Flag):
    """What arrives from whom and is not passed on."""

    NOTHING = 0
    CLIENT = auto()
    SERVER = auto()
    BOTH = CLIENT | SERVER


@dataclass
class _Pair:
    client: socket.socket
    server: socket.socket
    #: Like a firewall that has forgotten the connection: what it has once swallowed of one is never passed on again.
    dead: Swallow = field(default=Swallow.NOTHING)


class Proxy:
    """Listens on ``port`` of 127.0.0.1 and passes on to ``target``, another port of it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[_Pair] = []
        self._swallowing = Swallow.NOTHING
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def swallow(self, what: Swallow) -> None:
        """From now on, of all connections and new ones too. Both ends stay connected, and hear no reset."""
        self._swallowing = what
        for pair in self._pairs:
            pair.dead |= what

    def heal(self) -> None:
        """New connections are passed on again. Those of before stay dead."""
        self._swallowing = Swallow.NOTHING

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            _hang_up(pair)
        for thread in self._threads:
            thread.join()

    def _spawn(self, target: object, *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))  # type: ignore[arg-type]
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket()
            try:
                server.connect(("127.0.0.1", self._target))
            except OSError:  # the server is away: its host says so
                client.close()
                server.close()
                continue
            pair = _Pair(client, server, self._swallowing)
            self._pairs.append(pair)
            pair.dead |= self._swallowing
            self._spawn(self._pass_on, pair, client, server, Swallow.CLIENT)
            self._spawn(self._pass_on, pair, server, client, Swallow.SERVER)

    def _pass_on(self, pair: _Pair, source: socket.socket, target: socket.socket, direction: Swallow) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(64 * 1024):
                if not pair.dead & direction:
                    target.sendall(data)
        if pair.dead:
            # The other end must not hear of this one's end.
            source.close()
        else:
            _hang_up(pair)


def _hang_up(pair: _Pair) -> None:
    for each in (pair.client, pair.server):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
