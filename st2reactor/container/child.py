"""The process of one sensor, seen from its container."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from st2reactor.sensor.channel import encode

PROGRAM = "st2reactor.sensor.process"

# Bytes that a sensor has not read yet: so many triggers wait nowhere else.
_ORDERS_BUFFER = 4 * 1024 * 1024


@dataclass(frozen=True)
class Launch:
    """What to start."""

    #: The interpreter and its options; the program follows.
    argv: Sequence[str]
    env: Mapping[str, str]
    #: The first order: see :mod:`st2reactor.sensor.process`.
    order: Mapping[str, Any]
    #: Texts that must not be seen in what the sensor prints.
    secrets: Sequence[str] = ()
    #: What there is to forget when the process has ended: its token.
    token: str | None = field(default=None, repr=False)


class Child:
    """Started when made. Every method may be called from any thread, and after the end too."""

    def __init__(self, launch: Launch) -> None:
        """
        Raises:
            OSError: it cannot be started.
            ValueError: the order is too large.
        """
        order = encode(dict(launch.order))
        self.calls, calls = socket.socketpair()
        self._orders, orders = socket.socketpair()
        self._orders.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ORDERS_BUFFER)
        self._sending = threading.Lock()
        for end in (calls, orders):
            # Those of a process with gevent are not, and a program that inherits them cannot know.
            os.set_blocking(end.fileno(), True)
        self.command = [*launch.argv, "-m", PROGRAM, str(calls.fileno()), str(orders.fileno())]
        try:
            self._process = subprocess.Popen(
                self.command,
                env=dict(launch.env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(calls.fileno(), orders.fileno()),
                start_new_session=True,
            )
        except OSError:
            self.close()
            raise
        finally:
            calls.close()
            orders.close()
        self._send(order)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None  # noqa: S101
        return self._process.stderr

    def tell(self, order: str, trigger: Mapping[str, Any]) -> None:
        """An order to a process that has ended is lost; one to a process that hangs waits for it."""
        self._send(encode({"order": order, "trigger": dict(trigger)}))

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """With all that it has started."""
        self._signal(signal.SIGKILL)

    def wait(self) -> int:
        """The exit code; negative: the number of the signal that ended it. What it has started ends with it."""
        code = self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return code

    def close(self) -> None:
        for end in (self.calls, self._orders):
            # A thread that reads it learns of this end.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _send(self, line: bytes) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._orders.sendall(line)

    def _signal(self, number: int) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
