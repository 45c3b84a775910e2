"""Pieces of one stream, put together to lines."""

from __future__ import annotations

import codecs

# A line is shown whole up to this size; a longer one is shown in pieces of it, so that the client's memory is bounded.
MAX_LINE_BYTES = 32 * 1024 * 1024


class LineAssembler:
    """Joins the pieces of one stream; what has no newline yet is kept, with the time stamp of its first byte.

    With ``overwriting`` a carriage return does what it does on a terminal: what stood before it in the line is
    replaced, and so not kept (a progress bar may run for hours without a newline).
    """

    def __init__(self, *, overwriting: bool = False) -> None:
        self.timestamp = ""
        self._partial = bytearray()
        self._overwriting = overwriting

    def begun(self, limit: int) -> bytes:
        """At most ``limit`` bytes of the line that has no newline yet."""
        return bytes(self._partial[:limit])

    def feed(self, data: bytes, timestamp: str) -> list[tuple[str, bytes]]:
        """The lines that ``data`` completes: blocks of (time stamp, whole lines, each with its newline).

        At most two: the line that had been begun, and all others at once, which is what makes a loud action cheap.
        """
        blocks = []
        if self._partial and data:
            end = data.find(b"\n") + 1 or len(data)
            self._partial += data[:end]
            data = data[end:]
            if self._partial.endswith(b"\n"):
                blocks.append((self.timestamp, self._take()))
        end = data.rfind(b"\n") + 1
        if end:
            blocks.append((timestamp, data[:end]))
        if end < len(data):
            self.timestamp = timestamp
            self._partial += data[end:]
        if self._overwriting:
            self._forget_overwritten()
        if len(self._partial) > MAX_LINE_BYTES:
            blocks.append((self.timestamp, self._take() + b"\n"))
        return blocks

    def close(self) -> list[tuple[str, bytes]]:
        """The begun line, which nothing will finish: without a newline."""
        return [(self.timestamp, self._take())] if self._partial else []

    def _take(self) -> bytes:
        taken = bytes(self._partial)
        self._partial.clear()
        return taken

    def _forget_overwritten(self) -> None:
        written = len(self._partial)
        while written and self._partial[written - 1] == 0x0D:
            written -= 1
        start = self._partial.rfind(b"\r", 0, written) + 1
        del self._partial[:start]


def decode(data: bytes, *, whole: bool = True) -> str:
    """Text to show; bytes that are no UTF-8 become U+FFFD.

    Of a piece that is not ``whole``, the beginning of a character at its end is left out.
    """
    if whole:
        return data.decode("utf-8", "replace")
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def overwritten(line: str) -> str:
    """The line as a terminal ends up showing it when carriage returns went back to its beginning."""
    return line.rstrip("\r").rpartition("\r")[2]
