"""The spool: one append-only file per run, written by the keeper and followed by the runner.

A frame is a 16-byte header, little-endian ``<QB3xI`` (wall clock in microseconds, kind, payload length in bytes), and
the payload. The order of the frames is the order in which the keeper read them. The EXITED frame is the last one.

Imported by the keeper, so it imports next to nothing itself.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import NamedTuple

HEADER = struct.Struct("<QB3xI")

STDOUT = 1
STDERR = 2
#: JSON ``{"pid": int, "start_ticks": int | None, "boot_id": str}``.
STARTED = 3
#: JSON with the fields of ``st2actionrunner.launch.Exit``.
EXITED = 4
#: A line that stands for the rest of a stream, which is beyond the limit and not kept.
STDOUT_CUT = 5
STDERR_CUT = 6

# Bytes. The keeper writes at most 64 KiB of output in a frame; a longer one can only be damage.
MAX_PAYLOAD = 1024 * 1024


class SpoolDamaged(Exception):
    """What stands in the spool is not a frame."""


class Frame(NamedTuple):
    time_us: int
    kind: int
    payload: bytes
    #: Offset of the first byte after this frame.
    end_offset: int


class SpoolWriter:
    """Appends frames; ``size`` is the end of the last whole one. The file is made with the first frame."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None
        self.size = 0

    def append(self, kind: int, payload: bytes, time_us: int) -> None:
        """Write one frame, whole or not at all.

        Raises:
            OSError: the file system took nothing, or only a part (which is cut off again).
        """
        fd = self._open()
        length = HEADER.size + len(payload)
        written = os.writev(fd, (HEADER.pack(time_us, kind, len(payload)), payload))
        if written != length:
            os.ftruncate(fd, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += length

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self.size = os.fstat(self._fd).st_size
        return self._fd


class SpoolReader:
    """Reads frames from ``offset`` on; the file may appear, and grow, at any time."""

    def __init__(self, path: str | os.PathLike[str], offset: int = 0) -> None:
        self._path = path
        self._fd: int | None = None
        self.offset = offset

    def read(self, limit_bytes: int) -> list[Frame]:
        """The next whole frames, about ``limit_bytes`` of them and at least one; empty when there is none (yet).

        Raises:
            SpoolDamaged: no frame begins at the offset.
        """
        fd = self._open()
        if fd is None:
            return []
        # Not more than there is: memory for all of the limit costs more than to ask.
        there = max(0, os.fstat(fd).st_size - self.offset)
        data = os.pread(fd, min(there, max(limit_bytes, HEADER.size)), self.offset)
        needed = _first_length(data)
        if needed > len(data):
            data = os.pread(fd, needed, self.offset)
        frames = split(data, self.offset)
        if frames:
            self.offset = frames[-1].end_offset
        return frames

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int | None:
        if self._fd is None:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        return self._fd


def split(data: bytes, offset: int) -> list[Frame]:
    """The whole frames at the beginning of ``data``, which stands at ``offset`` of its spool."""
    frames = []
    start = 0
    while start + HEADER.size <= len(data):
        time_us, kind, length = HEADER.unpack_from(data, start)
        _check(kind, length)
        end = start + HEADER.size + length
        if end > len(data):
            break
        frames.append(Frame(time_us, kind, data[start + HEADER.size : end], offset + end))
        start = end
    return frames


def _first_length(data: bytes) -> int:
    """Bytes of the first frame; 0 when even its header is torn."""
    if len(data) < HEADER.size:
        return 0
    _, kind, length = HEADER.unpack_from(data)
    _check(kind, length)
    return HEADER.size + int(length)


def _check(kind: int, length: int) -> None:
    if not STDOUT <= kind <= STDERR_CUT or length > MAX_PAYLOAD:
        raise SpoolDamaged(f"a frame of kind {kind} and {length} bytes")
