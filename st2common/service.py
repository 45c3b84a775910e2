"""The life of a daemon: start its services, tell that it is ready, wait for a signal, stop in order.

A service is an object with ``start()``, ``stop(deadline)`` and ``health()``. The daemons and the standalone process are
compositions of the same services.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from st2common import log
from st2common.systemd import Systemd

LOG = logging.getLogger(__name__)

# How often a daemon tells that it lives, in seconds. The status command calls a daemon stuck after three misses.
HEARTBEAT_INTERVAL = 2.0


class Service(Protocol):
    name: str

    def start(self) -> None:
        """Begin to work; returns when ready. Waiting for a database or broker is part of it, and normal."""

    def stop(self, deadline: float) -> None:
        """Take no new work, finish or hand over, at most ``deadline`` seconds by the monotonic clock."""

    def health(self) -> str | None:
        """None when well, else one sentence that says what is wrong."""


@runtime_checkable
class Drainable(Protocol):
    """A service that is told, some time before it stops, that it is going to."""

    def drain(self) -> None:
        """Take no new work from now on; what runs goes on. Safe to repeat."""


class StatusFile:
    """``<state_path>/services/<name>-<pid>.json``, rewritten at every heartbeat and removed at the end."""

    def __init__(self, state_path: Path, name: str, listen: str | None = None) -> None:
        self._path = state_path / "services" / f"{name}-{os.getpid()}.json"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._facts: dict[str, Any] = {
            "name": name,
            "pid": os.getpid(),
            "started_at": time.time(),
            "listen": listen,
        }

    def write(self, ready: bool, health: str | None) -> None:
        partial = self._path.with_suffix(".partial")
        # Others than root may write in this directory: never through a link that they have put there.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        with open(descriptor, "w") as file:
            file.write(json.dumps({**self._facts, "ready": ready, "health": health}))
        partial.replace(self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def signals() -> Iterator[tuple[threading.Event, threading.Event, threading.Event]]:
    """Three events: SIGTERM or SIGINT sets the first (the second signal ends the process at once), SIGUSR1 the second,
    SIGUSR2 the third. Nothing else can be done in a handler, where nobody may wait."""
    stop, reopen, drain = threading.Event(), threading.Event(), threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda *_: reopen.set())
    before[signal.SIGUSR2] = signal.signal(signal.SIGUSR2, lambda *_: drain.set())
    try:
        yield stop, reopen, drain
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    name: str, services: Sequence[Service], state_path: Path, stop_timeout: float, listen: str | None = None
) -> int:
    """Run services until a signal comes; the exit code.

    Started in the given order and stopped in the reverse one: what takes work in comes last and goes first.
    """
    status, systemd = StatusFile(state_path, name, listen), Systemd()
    with signals() as (stop, reopen, drain):
        threading.Thread(target=_drain_when_asked, args=(drain, services), name="drain", daemon=True).start()
        status.write(ready=False, health="starting")
        started: list[Service] = []
        try:
            for service in services:
                service.start()
                started.append(service)
            # What is here now stays. A full collection would look at all of it: 30 ms in which no line goes on.
            gc.collect()
            gc.freeze()
            LOG.info("%s is ready (pid %d)", name, os.getpid())
            systemd.ready()
            while True:
                health = _health(services)
                status.write(ready=True, health=health)
                systemd.alive(health)
                if stop.wait(HEARTBEAT_INTERVAL):
                    break
                if reopen.is_set():
                    reopen.clear()
                    log.reopen_files()
        finally:
            systemd.stopping()
            _stop(started, stop_timeout)
            status.remove()
    return 0


def _health(services: Sequence[Service]) -> str | None:
    return "; ".join(problem for service in services if (problem := service.health())) or None


def _drain_when_asked(asked: threading.Event, services: Sequence[Service]) -> None:
    asked.wait()
    for service in services:
        if isinstance(service, Drainable):
            service.drain()


def _stop(started: list[Service], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    for service in reversed(started):
        service.stop(max(0.0, deadline - time.monotonic()))
