"""Server-sent events: bytes in, events out, whatever the pieces in which the bytes arrive."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A single event larger than this is no event of ours: chunks are 64 KiB. The limit bounds what a broken server costs.
MAX_EVENT_BYTES = 64 * 1024 * 1024

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """The stream holds an event that is larger than any the platform sends."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``id`` is the last event id as of this event, "" when the stream never gave one."""

    name: str
    data: str
    id: str


class EventParser:
    """Incremental parser of ``text/event-stream``, as the HTML standard defines it.

    An event that the stream does not finish is never given out, so ``last_event_id`` is always the point from which
    a new connection goes on.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self._id = last_event_id
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._started = False
        self._name = ""
        self._data: list[str] = []

    def feed(self, received: bytes) -> list[Event]:
        """The events that ``received`` completes; raises `EventTooLarge`."""
        if not received:
            return []
        self._pending.append(received)
        self._pending_bytes += len(received)
        if self._pending_bytes > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")
        # Only now is it worth joining: a long line may come in very many pieces.
        if not (b"\n" in received or b"\r" in received or self._pending[0].endswith(b"\r")):
            return []
        buffered = b"".join(self._pending)
        consumed, lines = self._complete_lines(buffered)
        rest = buffered[consumed:]
        self._pending = [rest] if rest else []
        self._pending_bytes = len(rest)
        return [event for line in lines if (event := self._take_line(line)) is not None]

    def _complete_lines(self, buffered: bytes) -> tuple[int, list[bytes]]:
        start = 0
        lines = []
        for end in _LINE_END.finditer(buffered):
            # A carriage return at the very end may be the first half of "\r\n".
            if end.group() == b"\r" and end.end() == len(buffered):
                break
            lines.append(buffered[start : end.start()])
            start = end.end()
        return start, lines

    def _take_line(self, raw: bytes) -> Event | None:
        if not self._started:
            self._started = True
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
        if not raw:
            return self._dispatch()
        field, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        self.last_event_id = self._id
        name, data = self._name, self._data
        self._name, self._data = "", []
        if not data:
            return None
        return Event(name=name or "message", data="\n".join(data), id=self._id)
