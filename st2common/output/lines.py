"""Cuts a stream of bytes into pieces that end with a line where there is one."""

from __future__ import annotations

from collections import deque

from st2common.output.chunk import MAX_CHUNK_BYTES, Run

# Arrivals closer together than this share one time, in microseconds: what a program prints in one go is one event.
SAME_ARRIVAL_US = 1000

Piece = tuple[bytes, list[Run]]


class LineCutter:
    """Collects what arrived on one stream and gives it out in pieces of at most MAX_CHUNK_BYTES.

    A piece ends with a newline if it can. A line's time is that of its newline. Bytes after the last newline stay until
    the rest of the line comes, :meth:`flush` is called, or there are more than fit into a piece.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._runs: deque[Run] = deque()
        #: Bytes after the last newline.
        self._open = 0

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes, time_us: int) -> None:
        """``data`` arrived at ``time_us``."""
        self._data += data
        complete = data.rfind(b"\n") + 1
        if complete:
            self._add(self._open + complete, time_us, replacing=self._open)
            self._open = 0
        self._add(len(data) - complete, time_us)
        self._open += len(data) - complete

    def take(self) -> list[Piece]:
        """The complete lines, and whatever does not fit into a piece without its newline."""
        pieces: list[Piece] = []
        while len(self._data) > self._open or len(self._data) >= MAX_CHUNK_BYTES:
            window = min(len(self._data), MAX_CHUNK_BYTES)
            newline = self._data.rfind(b"\n", 0, window) + 1
            pieces.append(self._cut(newline or whole_characters(self._data, window) or window))
        return pieces

    def flush(self, end: bool = False) -> list[Piece]:
        """Everything; a character that has only half arrived stays unless this is the ``end`` of the stream."""
        pieces = self.take()
        rest = len(self._data) if end else whole_characters(self._data, len(self._data))
        return [*pieces, self._cut(rest)] if rest else pieces

    def _add(self, length: int, time_us: int, replacing: int = 0) -> None:
        """Append a run; its first ``replacing`` bytes are an unfinished line whose runs are there already."""
        while replacing:
            last = self._runs.pop()
            if last.length > replacing:
                self._runs.append(Run(last.length - replacing, last.time_us))
            replacing -= min(replacing, last.length)
        if length and self._runs and time_us - self._runs[-1].time_us < SAME_ARRIVAL_US:
            last = self._runs.pop()
            self._runs.append(Run(last.length + length, last.time_us))
        elif length:
            self._runs.append(Run(length, time_us))

    def _cut(self, size: int) -> Piece:
        data = bytes(self._data[:size])
        del self._data[:size]
        self._open = min(self._open, len(self._data))
        taken: list[Run] = []
        while size:
            run = self._runs.popleft()
            if run.length > size:
                self._runs.appendleft(Run(run.length - size, run.time_us))
                run = Run(size, run.time_us)
            taken.append(run)
            size -= run.length
        return data, taken


def whole_characters(data: bytes | bytearray, size: int) -> int:
    """The largest cut of at most ``size`` that splits no UTF-8 character; ``size`` where its end is not UTF-8."""
    for back in range(1, min(4, size) + 1):
        byte = data[size - back]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return size - back if needed > back else size
    return size
