"""The port to the output log: one append-only log per execution, kept in the database.

Two implementations share one conformance suite: :mod:`st2common.output.mongo_log` and
:mod:`st2common.output.memory_log`. ``docs/output-log.md`` is the concept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from st2common.output.chunk import Chunk, End, Stream, StreamTotal

# One page of a reader. Sequence numbers are dense, so a page is the bounded range (after, after + PAGE_CHUNKS].
PAGE_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Position:
    """Where a writer goes on: what the log holds of each stream and the last number given to a chunk."""

    seq: int = 0
    stdout: StreamTotal = field(default_factory=StreamTotal)
    stderr: StreamTotal = field(default_factory=StreamTotal)
    resume_at: int = 0

    def total(self, stream: Stream) -> StreamTotal:
        return self.stdout if stream is Stream.STDOUT else self.stderr


class OutputLog(Protocol):
    def append(self, chunks: Sequence[Chunk]) -> None:
        """Store chunks; when this returns they are durable. Repeating a call that failed half way is safe.

        Raises:
            Fenced: a chunk with one of these numbers was written by another attempt.
        """

    def finish(self, end: End) -> None:
        """Store the end record. Repeating it with the same attempt is safe.

        Raises:
            Fenced: another attempt has ended this log.
        """

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        """Chunks of both streams with ``seq`` following ``after`` and no hole: a page at most, ``[]`` at the tail."""

    def read_stream(self, execution_id: str, stream: Stream, after: int) -> list[Chunk]:
        """Chunks of one stream with ``stream_seq`` following ``after`` without a hole; at most a page."""

    def find(self, execution_id: str, stream: Stream, offset: int) -> int:
        """The ``stream_seq`` of the chunk that holds byte ``offset`` (or of the last chunk, where it ends before)."""

    def end(self, execution_id: str) -> End | None:
        """The end record, or None while the log is open."""

    def position(self, execution_id: str) -> Position:
        """Where the log stands. Costs a read of the last chunk of each stream."""

    def take_over(self, execution_id: str, attempt: int) -> Position:
        """Fence every earlier attempt and close its holes, then say where ``attempt`` goes on. Idempotent.

        Raises:
            Fenced: a later attempt has taken the log over already.
        """

    def delete(self, execution_ids: Sequence[str]) -> int:
        """Remove whole logs; the number of documents removed."""
