"""Output of many hosts on two pipes: as it comes, in whole lines where there is more than one host."""

from __future__ import annotations

import os
import threading

# Bytes of each stream of a host, and of all hosts together, that go into the result; the database takes no document
# over 16 MiB. All of the output is in the log of the execution.
_STREAM_LIMIT = 1024 * 1024
_TOTAL_LIMIT = 4 * 1024 * 1024

# Bytes of a line that are kept back until its end comes; a longer one is shown in pieces, each with its host.
_LONGEST_LINE = 1024 * 1024


class Pipe:
    """One of the program's own pipes, shared by all hosts. Blocks when nobody reads, and so do the commands then."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


def result_limit(hosts: int) -> int:
    """Bytes of each stream of each of ``hosts`` that go into the result."""
    return min(_STREAM_LIMIT, _TOTAL_LIMIT // (2 * hosts))


class HostStream:
    """One stream of one host: shown on ``pipe``, and its beginning kept for the result."""

    def __init__(self, pipe: Pipe, host: str | None, limit: int) -> None:
        """``host``: what each line begins with, or None to pass on the bytes as they are. ``limit``: bytes kept."""
        self._pipe = pipe
        self._prefix = f"[{host}] ".encode() if host else b""
        self._limit = limit
        self._line = b""
        self._kept = bytearray()
        self._bytes = 0

    def feed(self, data: bytes) -> None:
        self._bytes += len(data)
        self._kept += data[: self._limit - len(self._kept)]
        if not self._prefix:
            self._pipe.write(data)
            return
        lines, newline, self._line = (self._line + data).rpartition(b"\n")
        if newline:
            self._show(lines)
        if len(self._line) >= _LONGEST_LINE:
            self.close()

    def close(self) -> None:
        """The end: a last line without a line break is given one, or the next host's line would join it."""
        if self._line:
            line, self._line = self._line, b""
            self._show(line)

    def notice(self, text: str) -> None:
        """Tell the watcher something that the host did not print."""
        self.close()
        self._show(text.encode())

    def text(self) -> str:
        """The output for the result, with a mark where it was cut."""
        text = self._kept.decode(errors="replace")
        cut = self._bytes - len(self._kept)
        return f"{text}\n[{cut} more bytes are in the output of the execution]" if cut else text

    def _show(self, lines: bytes) -> None:
        self._pipe.write(self._prefix + lines.replace(b"\n", b"\n" + self._prefix) + b"\n")
