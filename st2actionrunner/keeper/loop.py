"""An epoll loop: callbacks for descriptors, and alarms by key."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Hashable


class Loop:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._alarms: dict[Hashable, tuple[float, Callable[[], None]]] = {}
        # Monotonic time of the earliest alarm; None: to be found again.
        self._earliest: float | None = None

    def watch(self, fd: int, callback: Callable[[], None], writable: bool = False) -> None:
        """Call back whenever ``fd`` can be read (or, with ``writable``, also written)."""
        events = select.EPOLLIN | (select.EPOLLOUT if writable else 0)
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def alarm(self, key: Hashable, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, ``seconds`` from now; replaces the alarm of the same key."""
        self._alarms[key] = (time.monotonic() + seconds, callback)
        self._earliest = None

    def cancel(self, key: Hashable) -> None:
        if self._alarms.pop(key, None) is not None:
            self._earliest = None

    def turn(self) -> None:
        """Wait for the next thing to happen and handle what is due."""
        for fd, _events in self._epoll.poll(self._timeout()):
            callback = self._callbacks.get(fd)
            if callback is not None:  # an earlier callback of this turn may have closed it
                callback()
        if self._earliest is not None and self._earliest <= time.monotonic():
            self._ring()

    def close(self) -> None:
        self._epoll.close()

    def _timeout(self) -> float | None:
        if not self._alarms:
            self._earliest = None
            return None
        if self._earliest is None:
            self._earliest = min(when for when, _ in self._alarms.values())
        return max(0.0, self._earliest - time.monotonic())

    def _ring(self) -> None:
        now = time.monotonic()
        due = [key for key, (when, _) in self._alarms.items() if when <= now]
        for key in due:
            alarm = self._alarms.pop(key, None)
            if alarm is not None:
                alarm[1]()
        self._earliest = None
