"""The port to the output log: one append-only log per execution, kept in the database.

Two implementations share one conformance suite: :mod:`st2common.output.mongo_log` and
:mod:`st2common.output.memory_log`. ``docs/output-log.md`` is the concept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from st2common.errors import St2Error
from st2common.output.chunk import Chunk, End, Stream

# One page of a reader. Sequence numbers are dense, so a page is the bounded range (after, after + PAGE_CHUNKS].
PAGE_CHUNKS = 64

# One append holds at most this many chunks. A crash in the middle of an append leaves holes only in its numbers, so
# this is also how far back a recovery looks for them.
MAX_BATCH = 256


class LogUnavailable(St2Error):
    """The database does not answer. Nothing is lost: try again."""


class LaterForm(LogUnavailable):
    """A later release has stored this in a form that this one does not know: upgrade this host, and it can be read."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where one stream of a log stands. ``source``, ``covered`` and ``masked`` are its last chunk's."""

    chunks: int = 0
    bytes: int = 0
    lines: int = 0
    source: int = 0
    covered: int = 0
    masked: int = 0
    #: The stream's last byte is no newline.
    unfinished: bool = False

    @classmethod
    def after(cls, last: Chunk | None) -> StreamPosition:
        """The position behind the last chunk of a stream."""
        if last is None:
            return cls()
        return cls(
            chunks=last.stream_seq,
            bytes=last.offset + len(last.data),
            lines=last.line + last.data.count(b"\n"),
            source=last.source,
            covered=last.covered,
            masked=last.masked,
            unfinished=last.unfinished,
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a writer goes on: how each stream stands and the last ``seq`` in use."""

    seq: int = 0
    stdout: StreamPosition = StreamPosition()
    stderr: StreamPosition = StreamPosition()

    def of(self, stream: Stream) -> StreamPosition:
        return self.stdout if stream is Stream.STDOUT else self.stderr


class OutputLog(Protocol):
    """Every method may raise :class:`LogUnavailable`."""

    def append(self, chunks: Sequence[Chunk]) -> None:
        """Store at most MAX_BATCH chunks of one execution, numbered on from the position.

        When this returns they are durable. Repeating a call that failed half way is safe.

        Raises:
            Fenced: one of these numbers was written by another attempt.
        """

    def finish(self, end: End, chunks: Sequence[Chunk] = ()) -> End:
        """Store the last chunks and the end record, in one write where it can be; the record that is in force.

        Repeating it is safe: the first record of an attempt stays, whatever a later one says.

        Raises:
            Fenced: another attempt has ended this log.
        """

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        """Chunks of both streams with ``seq`` following ``after`` and no hole: a page at most, ``[]`` at the tail."""

    def read_stream(self, execution_id: str, stream: Stream, after: int) -> list[Chunk]:
        """Chunks of one stream with ``stream_seq`` following ``after`` and no hole: a page at most."""

    def last(self, execution_id: str, stream: Stream) -> Chunk | None:
        """The last chunk of a stream. Costs about 2 * log2(chunks) look-ups."""

    def end(self, execution_id: str) -> End | None:
        """The end record, or None while the log is open."""

    def resume(self, execution_id: str, attempt: int) -> Position:
        """Close the holes that a crash of this attempt's writer left, then say where it goes on.

        Raises:
            Fenced: a later attempt has taken the log over.
        """

    def take_over(self, execution_id: str, attempt: int) -> Position:
        """Fence every earlier attempt, close its holes, then say where ``attempt`` goes on. Idempotent.

        Raises:
            Fenced: a later attempt has taken the log over already, or another attempt has ended it.
        """

    def delete(self, execution_ids: Sequence[str], limit: int) -> int:
        """Remove at most ``limit`` documents of these logs; how many. Fewer than ``limit``: nothing is left of them.

        The end records go first, then of each log the newest chunks: what is half removed is the beginning of a log
        without an end.
        """
