"""Warm python parents: interpreters that have imported what a program needs, and fork a child for each run of it.

A parent is a separate process (see ``st2common/runners/python_parent.py``), for each (python, import path, program, age
of the watched directory). The keeper passes it the three standard streams and gets the pid of the new child, which has
become the keeper's own by then: the parent forks twice, and the keeper is the reaper of orphans.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from st2actionrunner.keeper.loop import Loop
from st2actionrunner.keeper.spawn import Streams

# Parents that may wait for work, each some 15 MB; the one that waited longest goes.
_MAX_PARENTS = 8

_PROGRAM = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    "st2common",
    "runners",
    "python_parent.py",
)


class Key(NamedTuple):
    python: str
    path: tuple[str, ...]
    module: str
    watch: str | None
    #: Modification time of the watched directory in nanoseconds.
    age: int | None


class Fork(NamedTuple):
    """What to start, ``arguments`` being the module and its own. Exactly one of the callbacks is called, once."""

    run: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    cwd: str | None
    streams: Streams
    on_started: Callable[[int], None]
    #: The parent could not; the run has not begun.
    on_refused: Callable[[], None]


def module_arguments(argv: Sequence[str], python: str) -> list[str] | None:
    """``[module, argument, ...]`` of ``[python,] [-flag, ...] -m module [argument, ...]``; None for other commands."""
    rest = list(argv[1:] if argv and argv[0] == python else argv)
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        del rest[0]
    return rest[1:] if len(rest) > 1 and rest[0] == "-m" else None


def key_of(parent: Mapping[str, Any], module: str) -> Key:
    watch = parent.get("watch")
    try:
        age = os.stat(watch).st_mtime_ns if watch else None
    except FileNotFoundError:
        age = None
    return Key(parent["python"], tuple(parent.get("path") or ()), module, watch, age)


class Parents:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._parents: dict[Key, _Parent] = {}

    def fork(self, key: Key, fork: Fork) -> None:
        """Start the child in the parent of ``key``, which is started itself when it does not run.

        Raises:
            OSError: there can be no such parent, or it does not keep up; nothing has begun.
        """
        parent = self._parents.get(key)
        if parent is None:
            self._retire_stale(key)
            parent = self._parents[key] = _Parent(key, self._loop, lambda: self._forget(key))
        parent.fork(fork)

    def close(self) -> None:
        for parent in self._parents.values():
            parent.close()
        self._parents.clear()

    def _retire_stale(self, key: Key) -> None:
        for other in list(self._parents):
            if other[:4] == key[:4]:
                self._parents.pop(other).retire()
        idle = sorted((parent.used_at, other) for other, parent in self._parents.items())
        for _, other in idle[: max(0, len(idle) - _MAX_PARENTS + 1)]:
            self._parents.pop(other).retire()

    def _forget(self, key: Key) -> None:
        self._parents.pop(key, None)


class _Parent:
    def __init__(self, key: Key, loop: Loop, on_lost: Callable[[], None]) -> None:
        self.used_at = 0.0
        self._loop = loop
        self._on_lost = on_lost
        self._forks: dict[str, Fork] = {}
        self._retired = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                _start(key, theirs.fileno())
            except OSError:
                self._socket.close()
                raise
        self._socket.setblocking(False)
        loop.watch(self._socket.fileno(), self._readable)

    def fork(self, fork: Fork) -> None:
        self.used_at = time.monotonic()
        order = {"run": fork.run, "arguments": fork.arguments, "env": fork.env, "cwd": fork.cwd}
        streams = fork.streams
        # The order travels in a file of its own because its environment may exceed what one packet holds.
        with open(os.memfd_create("order"), "w+b") as file:
            file.write(json.dumps(order).encode())
            file.flush()
            socket.send_fds(self._socket, [b"fork"], [file.fileno(), streams.stdin, streams.stdout, streams.stderr])
        self._forks[fork.run] = fork

    def retire(self) -> None:
        """No more work; it ends when it has done what it was asked."""
        self._retired = True
        self._socket.shutdown(socket.SHUT_WR)
        self._close_if_done()

    def close(self) -> None:
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        try:
            answer = self._socket.recv(4096)
        except OSError:
            answer = b""
        if not answer:
            self._lost()
            return
        facts = json.loads(answer)
        fork = self._forks.pop(facts["run"])
        if "pid" in facts:
            fork.on_started(facts["pid"])
        else:
            fork.on_refused()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and not self._forks and self._socket.fileno() >= 0:
            self.close()

    def _lost(self) -> None:
        """It has died. A child reports itself before it begins, so what is still unanswered never began."""
        self.close()
        if not self._retired:
            self._on_lost()
        for fork in list(self._forks.values()):
            fork.on_refused()
        self._forks.clear()


def _start(key: Key, fd: int) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # Names of files may hold any bytes; a program that prints them must not fail.
    env |= {"PYTHONPATH": os.pathsep.join(key.path), "PYTHONIOENCODING": "utf-8:surrogateescape"}
    parent = subprocess.Popen(
        [key.python, "-u", _PROGRAM, str(fd), key.module],
        env=env,
        pass_fds=[fd],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    parent.returncode = 0  # the keeper reaps
