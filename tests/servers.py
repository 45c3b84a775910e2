"""Real servers for tests: each on free ports of 127.0.0.1, each gone when the test run is."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from st2ctl.embedded import EmbeddedDatabase, PrivateRabbitMQ
from st2ctl.profile import pick_ports

_MEMORY_DISK = Path("/dev/shm")
_ROOM_BYTES = 4 * 1024**3


def free_ports(count: int) -> list[int]:
    return pick_ports(*[None] * count)


@contextlib.contextmanager
def fast_directory() -> Iterator[Path]:
    """In memory where there is room: servers whose files come and go with each test mostly wait for a real disk."""
    memory = _MEMORY_DISK if _MEMORY_DISK.is_dir() and shutil.disk_usage(_MEMORY_DISK).free > _ROOM_BYTES else None
    with tempfile.TemporaryDirectory(prefix="st2-tests-", dir=memory) as directory:
        yield Path(directory)


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
