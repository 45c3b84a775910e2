"""Real servers for tests: each on free ports of 127.0.0.1, each gone when the test run is."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from st2ctl.embedded import EmbeddedDatabase, PrivateRabbitMQ


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. Held together while they are picked, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running_rabbitmq(directory: Path) -> Iterator[PrivateRabbitMQ]:
    port, dist_port, epmd_port = free_ports(3)
    broker = PrivateRabbitMQ(directory, port, dist_port, epmd_port)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def running_database(directory: Path) -> Iterator[EmbeddedDatabase]:
    [port] = free_ports(1)
    server = EmbeddedDatabase(directory, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
