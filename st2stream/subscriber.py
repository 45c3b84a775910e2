"""One client of ``/stream``: what it asked for, and what waits to be sent to it."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from st2common import metrics
from st2common.models.statuses import COMPLETED
from st2stream import sse

LOG = logging.getLogger(__name__)

# What a client gets that does not say. Output only goes to those who ask for it.
DEFAULT_EVENTS = (
    "st2.announcement__*",
    "st2.execution__create",
    "st2.execution__update",
    "st2.execution__delete",
    "st2.liveaction__create",
    "st2.liveaction__update",
    "st2.liveaction__delete",
)

# What waits for a client that does not read. One that is further behind is cut off: it comes back and asks anew.
MAX_WAITING = 5000
MAX_WAITING_BYTES = 16 * 1024 * 1024
# Bytes that may wait before more output is added to them.
MAX_OUTPUT_AHEAD = 1024 * 1024


class StreamEvent:
    """An event as all clients get it; encoded once, by the first who needs it."""

    def __init__(
        self,
        name: str,
        data: Mapping[str, Any],
        execution_id: str | None = None,
        action_ref: str | None = None,
        uids: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.data = data
        #: What the filters compare; None where the event has none and a filter drops it.
        self.execution_id = execution_id
        self.action_ref = action_ref
        #: Of the alias that it tells about, and of its pack.
        self.uids = uids

    @functools.cached_property
    def encoded(self) -> bytes:
        return sse.event(self.name, self.data)

    @property
    def ends(self) -> bool:
        """Whether it tells the end of an execution."""
        return self.data.get("status") in COMPLETED


@dataclass(frozen=True)
class Filter:
    """The query of ``/stream``. Empty: no restriction."""

    events: tuple[str, ...] = DEFAULT_EVENTS
    action_refs: frozenset[str] = frozenset()
    execution_ids: frozenset[str] = frozenset()
    end_event: str | None = None
    end_execution_id: str | None = None

    def wants(self, event: StreamEvent) -> bool:
        return (
            self.names(event.name)
            and self.wants_action(event.action_ref)
            and (not self.execution_ids or event.execution_id in self.execution_ids)
        )

    def wants_action(self, ref: str | None) -> bool:
        return not self.action_refs or ref in self.action_refs

    def names(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.events)

    @functools.cached_property
    def wants_output(self) -> bool:
        return self.names(sse.OUTPUT_CREATE)

    def ends_with(self, event: StreamEvent) -> bool:
        """Whether the stream is over once this event is sent, or would have been."""
        return (
            event.name == self.end_event
            and event.ends
            and self.end_execution_id is not None
            and event.data.get("id") == self.end_execution_id
        )


class Subscriber:
    def __init__(self, wanted: Filter) -> None:
        self.filter = wanted
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        #: Nothing more is taken in; what waits is still sent.
        self.closed = False

    def put(self, event: StreamEvent) -> None:
        """An event of the platform. Never blocks."""
        with self._changed:
            if self.closed:
                return
            if self.filter.wants(event):
                self._append(event.encoded)
            if len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
                LOG.warning("A client does not read its events: it is cut off")
                metrics.DROPPED_WATCHER.inc(len(self._waiting))
                self.closed = True
            if self.filter.ends_with(event):
                self.closed = True
            self._changed.notify_all()

    def put_output(self, encoded: bytes) -> None:
        """Output, which is not dropped: blocks while the client is behind. Its source is the log, which waits."""
        with self._changed:
            while self._waiting_bytes > MAX_OUTPUT_AHEAD and not self.closed:
                self._changed.wait()
            if not self.closed:
                self._append(encoded)
                self._changed.notify_all()

    def take(self, timeout: float) -> bytes:
        """What waits, at most ``timeout`` seconds; empty when there is nothing."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._waiting and not self.closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    return b""
                self._changed.wait(left)
            everything = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()
        return everything

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _append(self, encoded: bytes) -> None:
        self._waiting.append(encoded)
        self._waiting_bytes += len(encoded)
