"""The one writer of an execution's log: cuts lines, masks, numbers, stores, then rings the doorbell.

Group commit without a timer: the caller reads what its source holds, calls :meth:`Writer.write`, and reads again. While
a write is in flight the source piles up, and the next write takes all of it. A quiet action has the latency of one
write; a loud one gets large batches by itself; memory is bounded by what the caller reads at once.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from st2common import metrics
from st2common.clock import now_us
from st2common.output.chunk import MAX_CHUNK_BYTES, Chunk, End, Run, Stream, StreamTotal
from st2common.output.doorbell import Doorbell
from st2common.output.lines import LineCutter, Piece
from st2common.output.log import MAX_BATCH, LogUnavailable, OutputLog, Position, StreamPosition
from st2common.output.masking import Masker, Secrets

LOG = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two tries while the database is away. Jittered, so that many writers do not come back at once.
_RETRY_FIRST = 0.05
_RETRY_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes that a child wrote to one of its streams, as they were read from it."""

    stream: Stream
    data: bytes
    time_us: int
    #: ``data`` is no output but a line that stands for the rest of the stream, which was not kept.
    cut: bool = False


class _StreamWriter:
    """The state of one stream: what is cut but not complete, what the masker holds, what the log has."""

    def __init__(self, stream: Stream, position: StreamPosition, needles: list[bytes]) -> None:
        self.stream = stream
        self.lines = LineCutter()
        self.masker = Masker(needles, position.covered)
        self.chunks = position.chunks
        self.bytes = position.bytes
        self.newlines = position.lines
        self.fed = position.source
        self.unfinished = position.unfinished
        self._masked_before = position.masked
        #: Bytes of the source that the log holds already and that are to be skipped.
        self.skip = position.source

    def feed(self, arrival: Arrival) -> None:
        data = arrival.data
        if self.skip:
            skipped = min(self.skip, len(data))
            self.skip -= skipped
            data = data[skipped:]
        self.lines.feed(data, arrival.time_us)

    def masked_piece(self, piece: Piece) -> Piece:
        """What of ``piece`` can go out now; nothing where the masker holds all of it back."""
        data, runs = piece
        parts: list[bytes] = []
        times: list[Run] = []
        start = 0
        for run in runs:
            part = self.masker.feed(data[start : start + run.length])
            start += run.length
            if part:
                parts.append(part)
                times.append(Run(len(part), run.time_us))
        self.fed += len(data)
        return b"".join(parts), times

    def mark(self, line: bytes) -> bytes:
        """A line that is not masked; it counts as one of the source's, so that it comes once."""
        self.fed += len(line)
        return b"\n" + line if self.unfinished else line

    def chunk(self, piece: Piece, execution_id: str, seq: int, attempt: int) -> Chunk:
        """The next chunk, of a masked piece."""
        masked, times = piece
        self._count(masked)
        self.chunks += 1
        self.unfinished = not masked.endswith(b"\n")
        chunk = Chunk(
            execution_id=execution_id,
            stream=self.stream,
            stream_seq=self.chunks,
            seq=seq,
            offset=self.bytes,
            data=masked,
            runs=tuple(times),
            attempt=attempt,
            line=self.newlines,
            source=self.fed - self.masker.held,
            covered=self.masker.covered,
            masked=self.masked,
            unfinished=self.unfinished,
        )
        self.bytes += len(masked)
        self.newlines += masked.count(b"\n")
        return chunk

    def _count(self, masked: bytes) -> None:
        metrics.OUTPUT_CHUNKS[self.stream].inc()
        metrics.OUTPUT_BYTES[self.stream].inc(len(masked))
        metrics.OUTPUT_LINES[self.stream].inc(masked.count(b"\n"))

    @property
    def masked(self) -> int:
        return self._masked_before + self.masker.count

    def total(self) -> StreamTotal:
        return StreamTotal(self.chunks, self.bytes, self.newlines + int(self.unfinished))


class Writer:
    """Not thread-safe: one thread owns a log's writer."""

    def __init__(
        self,
        log: OutputLog,
        doorbell: Doorbell,
        execution_id: str,
        attempt: int,
        position: Position,
        secrets: Secrets,
        on_chunk: Callable[[Chunk], None] | None = None,
    ) -> None:
        """``secrets`` is looked at with each verb: what was added to it before is masked in what the verb takes.

        ``on_chunk`` is called for each chunk once it has its number; it is durable when the verb returns."""
        self._log = log
        self._doorbell = doorbell
        self._execution_id = execution_id
        self._attempt = attempt
        self._seq = position.seq
        self._secrets = secrets
        self._needles = secrets.needles
        self._streams = {stream: _StreamWriter(stream, position.of(stream), self._needles) for stream in Stream}
        self._on_chunk = on_chunk
        #: Numbered, not stored yet.
        self._batch: list[Chunk] = []

    @property
    def pending(self) -> int:
        """Bytes of unfinished lines that wait for their rest."""
        return sum(len(state.lines) for state in self._streams.values())

    def write(self, arrivals: Iterable[Arrival]) -> None:
        """Take what arrived; when this returns, its complete lines are durable and the doorbell has rung.

        Waits for as long as the database is away.

        Raises:
            Fenced: another attempt owns the log.
        """
        self._look_for_more()
        self._take(arrivals)
        self._store()

    def flush(self) -> None:
        """Store the unfinished lines too: a prompt or a progress bar has been idle for long enough."""
        self._look_for_more()
        for state in self._streams.values():
            self._number(state, state.lines.flush())
        self._store()

    def close(self, arrivals: Iterable[Arrival]) -> None:
        """Take the last that arrived. What is not durable yet goes out with the end record."""
        self._look_for_more()
        self._take(arrivals)
        for state in self._streams.values():
            self._number(state, state.lines.flush(end=True))
            self._append(state, _at_once(state.masker.close(), now_us()))

    def remark(self, line: str) -> None:
        """A line of the platform's own on stderr, behind all that the source has printed and will ever print."""
        now = now_us()
        self.close(())
        for stream, state in self._streams.items():
            state.skip = 0
            if state.unfinished:
                self._take([Arrival(stream, b"\n", now)])
        self.write([Arrival(Stream.STDERR, f"{line}\n".encode(), now)])

    def finish(self, status: str, exit_code: int | None, truncated_bytes: int = 0) -> End:
        """Store what is left and the end record, in one write where it can be; the record that is in force: that of
        an earlier process of this attempt, if it came so far. ``truncated_bytes``: how many were not kept."""
        self.close(())
        end = End(
            execution_id=self._execution_id,
            seq=self._seq + 1,
            attempt=self._attempt,
            status=status,
            exit_code=exit_code,
            time_us=now_us(),
            stdout=self._streams[Stream.STDOUT].total(),
            stderr=self._streams[Stream.STDERR].total(),
            truncated_bytes=truncated_bytes,
            masked=sum(state.masked for state in self._streams.values()),
        )
        batch, self._batch = self._batch, []
        stored = self._until_stored(lambda: self._log.finish(end, batch))
        _observe(batch)
        metrics.OUTPUT_MASKED.inc(sum(state.masker.count for state in self._streams.values()))
        metrics.OUTPUT_TRUNCATED.inc(truncated_bytes)
        self._doorbell.ring(self._execution_id, batch, stored)
        return stored

    def _look_for_more(self) -> None:
        if self._needles is not self._secrets.needles:
            self._needles = self._secrets.needles
            for state in self._streams.values():
                state.masker.look_for(self._needles)

    def _take(self, arrivals: Iterable[Arrival]) -> None:
        # What arrived on one stream becomes as few chunks as possible, until the other stream takes over.
        before: _StreamWriter | None = None
        for arrival in arrivals:
            state = self._streams[arrival.stream]
            if before and (before is not state or len(before.lines) >= MAX_CHUNK_BYTES):
                self._number(before, before.lines.take())
            if len(self._batch) >= MAX_BATCH // 2:
                self._store()
            if arrival.cut:
                self._cut(state, arrival)
            else:
                state.feed(arrival)
            before = state
        if before:
            self._number(before, before.lines.take())

    def _cut(self, state: _StreamWriter, arrival: Arrival) -> None:
        """The stream's last chunks: what there is of it, and the line that says so."""
        if state.skip:  # the log has them
            state.skip -= len(arrival.data)
            return
        self._number(state, state.lines.flush(end=True))
        self._append(state, _at_once(state.masker.cut(), arrival.time_us))
        self._append(state, _at_once(state.mark(arrival.data), arrival.time_us))

    def _number(self, state: _StreamWriter, pieces: list[Piece]) -> None:
        for piece in pieces:
            self._append(state, state.masked_piece(piece))

    def _append(self, state: _StreamWriter, masked: Piece) -> None:
        if masked[0]:
            chunk = state.chunk(masked, self._execution_id, self._seq + 1, self._attempt)
            self._seq += 1
            self._batch.append(chunk)
            if self._on_chunk:
                self._on_chunk(chunk)

    def _store(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._until_stored(lambda: self._log.append(batch))
            self._doorbell.ring(self._execution_id, batch)
            _observe(batch)

    def _until_stored(self, store: Callable[[], T]) -> T:
        """Repeat ``store`` until the database takes it. Both verbs of the log may be repeated."""
        delay = _RETRY_FIRST
        while True:
            try:
                return store()
            except LogUnavailable as error:
                metrics.OUTPUT_RETRIES.inc()
                LOG.warning("Output of execution %s waits for the database: %s", self._execution_id, error)
                time.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                delay = min(delay * 2, _RETRY_MAX)


def _at_once(data: bytes, time_us: int) -> Piece:
    return data, [Run(len(data), time_us)]


def _observe(batch: list[Chunk]) -> None:
    """Its oldest line is what waited longest; what was printed without a pause has one run a chunk."""
    if batch and batch[0].runs:
        metrics.OUTPUT_LAG.observe(max(0, now_us() - batch[0].runs[0].time_us) / 1_000_000)
