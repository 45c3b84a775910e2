"""Server-sent events: bytes in, events out, whatever the pieces in which the bytes arrive."""

from __future__ import annotations

from typing import NamedTuple

# A single event larger than this is no event of ours: chunks are 64 KiB. The limit bounds what a broken server costs.
MAX_EVENT_BYTES = 64 * 1024 * 1024

_BYTE_ORDER_MARK = "\ufeff"


class EventTooLarge(ValueError):
    """The stream holds an event that is larger than any the platform sends."""


class Event(NamedTuple):
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
        end = _end_of_complete_lines(buffered)
        rest = buffered[end:]
        self._pending = [rest] if rest else []
        self._pending_bytes = len(rest)
        # Line ends are never part of a character, so that whole lines can be decoded at once.
        text = buffered[:end].decode("utf-8", "replace")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not self._started and text:
            self._started = True
            text = text.removeprefix(_BYTE_ORDER_MARK)
        return [event for line in text.split("\n")[:-1] if (event := self._take_line(line)) is not None]

    def _take_line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
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


def _end_of_complete_lines(buffered: bytes) -> int:
    """A carriage return at the very end is not one yet: it may be the first half of "\\r\\n"."""
    return max(buffered.rfind(b"\n"), buffered.rfind(b"\r", 0, len(buffered) - 1)) + 1
