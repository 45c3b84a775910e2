"""A door before a service: who comes waits in front of it until the test says so.

It makes the races of clients certain: what may happen between two of their requests, happens.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Seconds for whatever the test does while somebody waits.
_PATIENCE = 60
_CHUNK = 65536


@dataclass
class Gate:
    """``url``: what the client is told instead of the service's."""

    url: str
    #: Set once a client waits.
    somebody_waits: threading.Event = field(default_factory=threading.Event)
    #: Set once a client has got the first bytes of an answer.
    answered: threading.Event = field(default_factory=threading.Event)
    _open: threading.Event = field(default_factory=threading.Event)

    def wait_for_a_client(self) -> None:
        assert self.somebody_waits.wait(_PATIENCE), "no client came to the gate"

    def open(self) -> None:
        self._open.set()

    def wait_for_an_answer(self) -> None:
        assert self.answered.wait(_PATIENCE), "no client was answered"

    def wait_until_open(self) -> None:
        assert self._open.wait(_PATIENCE), "the gate stayed closed"


@contextlib.contextmanager
def gate_before(service_url: str) -> Iterator[Gate]:
    """A gate on a port of its own. At the end everybody inside is thrown out."""
    service = urlsplit(service_url)
    assert service.hostname is not None
    assert service.port is not None
    address = (service.hostname, service.port)
    with socket.create_server(("127.0.0.1", 0)) as door, contextlib.ExitStack() as inside:
        gate = Gate(f"http://127.0.0.1:{door.getsockname()[1]}{service.path}")
        doorman = threading.Thread(target=_let_in, args=(door, gate, address, inside))
        doorman.start()
        try:
            yield gate
        finally:
            gate.open()
            door.shutdown(socket.SHUT_RDWR)
            doorman.join()


def _let_in(door: socket.socket, gate: Gate, address: tuple[str, int], inside: contextlib.ExitStack) -> None:
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            return
        inside.callback(_carry(client, gate, address))


def _carry(client: socket.socket, gate: Gate, address: tuple[str, int]) -> Callable[[], None]:
    """Serve one client in threads of its own; what is given back ends them."""
    gate.somebody_waits.set()
    gate.wait_until_open()
    service = socket.create_connection(address)
    ways = [
        threading.Thread(target=_pour, args=(client, service, threading.Event())),
        threading.Thread(target=_pour, args=(service, client, gate.answered)),
    ]
    for way in ways:
        way.start()

    def throw_out() -> None:
        for end in (client, service):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for way in ways:
            way.join()
        client.close()
        service.close()

    return throw_out


def _pour(source: socket.socket, target: socket.socket, begun: threading.Event) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
            begun.set()
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One of the two has left; the other way notices by itself.
        return
