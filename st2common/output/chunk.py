"""What the output log consists of: chunks, and one end record."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# A chunk holds at most this many bytes: large enough that a loud action costs few writes, small enough that a reader's
# page stays small and that a document is far from the database's limit of 16 MiB.
MAX_CHUNK_BYTES = 64 * 1024


class Stream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes of a chunk that arrived together: ``length`` bytes at ``time_us`` (microseconds since the epoch)."""

    length: int
    time_us: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of one stream of one execution, as it is stored and as readers get it.

    ``stream_seq`` counts 1, 2, 3 ... in its stream, ``seq`` over both streams in the order in which they were read.
    An empty chunk carries no output: it fills a number that a crash left unused, so that both counts stay dense.
    """

    execution_id: str
    stream: Stream
    stream_seq: int
    seq: int
    #: Position of the first byte in the stream, after masking.
    offset: int
    data: bytes
    #: Arrival times; the lengths add up to ``len(data)``.
    runs: tuple[Run, ...]
    #: The attempt of the execution that wrote this: the fencing token.
    attempt: int
    #: Newlines of the stream before this chunk.
    line: int = 0
    #: Bytes of the stream as the child wrote them, before masking, that this chunk and those before it stand for.
    source: int = 0
    #: How many bytes after ``source`` an open match of the masker has replaced already; see :mod:`.masking`.
    covered: int = 0
    #: Secrets replaced in the stream up to the end of this chunk.
    masked: int = 0
    #: The stream's last byte, up to here, is no newline: a line goes on in the next chunk.
    unfinished: bool = False

    def to_wire(self) -> dict[str, Any]:
        return {
            "stream": str(self.stream),
            "stream_seq": self.stream_seq,
            "seq": self.seq,
            "offset": self.offset,
            "data": binascii.b2a_base64(self.data, newline=False).decode("ascii"),
            "runs": [[run.length, run.time_us] for run in self.runs],
            "attempt": self.attempt,
            "line": self.line,
        }

    @classmethod
    def from_wire(cls, execution_id: str, wire: dict[str, Any]) -> Chunk:
        return cls(
            execution_id=execution_id,
            stream=Stream(wire["stream"]),
            stream_seq=wire["stream_seq"],
            seq=wire["seq"],
            offset=wire["offset"],
            data=binascii.a2b_base64(wire["data"]),
            runs=tuple(Run(length, time_us) for length, time_us in wire["runs"]),
            attempt=wire["attempt"],
            line=wire["line"],
        )


@dataclass(frozen=True, slots=True)
class StreamTotal:
    """What one stream of an ended log holds."""

    chunks: int = 0
    bytes: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The last record of a log: its existence, not any status elsewhere, is what ends a reader.

    Its ``seq`` follows the last chunk's. A reader of one stream is done when it has ``stdout.chunks`` (or
    ``stderr.chunks``) chunks.
    """

    execution_id: str
    seq: int
    attempt: int
    status: str
    exit_code: int | None
    time_us: int
    stdout: StreamTotal = StreamTotal()
    stderr: StreamTotal = StreamTotal()
    #: Bytes that were not stored because of a limit.
    truncated_bytes: int = 0
    #: How many secrets were replaced by the mask.
    masked: int = 0

    def total(self, stream: Stream) -> StreamTotal:
        return self.stdout if stream is Stream.STDOUT else self.stderr

    def to_wire(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "attempt": self.attempt,
            "status": self.status,
            "exit_code": self.exit_code,
            "time_us": self.time_us,
            "stdout": [self.stdout.chunks, self.stdout.bytes, self.stdout.lines],
            "stderr": [self.stderr.chunks, self.stderr.bytes, self.stderr.lines],
            "truncated_bytes": self.truncated_bytes,
            "masked": self.masked,
        }

    @classmethod
    def from_wire(cls, execution_id: str, wire: dict[str, Any]) -> End:
        return cls(
            execution_id=execution_id,
            seq=wire["seq"],
            attempt=wire["attempt"],
            status=wire["status"],
            exit_code=wire["exit_code"],
            time_us=wire["time_us"],
            stdout=StreamTotal(*wire["stdout"]),
            stderr=StreamTotal(*wire["stderr"]),
            truncated_bytes=wire["truncated_bytes"],
            masked=wire["masked"],
        )
