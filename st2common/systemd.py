"""What a daemon tells systemd about itself: sd_notify(3), for units of ``Type=notify`` with a watchdog."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping


class Systemd:
    """The way to the service manager that started us; says nothing where there is none."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Takes the way out of ``environment``: nobody else in this process, nor any child, speaks for the daemon.

        gunicorn's master would, and call it ready before its worker is.
        """
        self._address = environment.pop("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self, problem: str | None) -> None:
        """At every heartbeat: the health, for ``systemctl status``. Only while it is good is the watchdog fed."""
        if problem:
            self._send(f"STATUS={' '.join(problem.split())}")
        else:
            self._send("STATUS=healthy\nWATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        # "@" stands for the null byte that begins an abstract address.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # One that does not listen at the moment is no reason to end: it will miss us at its next look.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
            channel.sendto(state.encode(), address)
