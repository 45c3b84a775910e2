"""How a writer goes on with a log that another one began: after a crash of its own, or as a later attempt.

An append may have been cut anywhere, and the earlier writer may still be alive. ``docs/output-log.md`` has the rules.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from st2common.errors import Fenced
from st2common.output.chunk import Chunk, Stream
from st2common.output.log import MAX_BATCH, Position, StreamPosition
from st2common.output.mongo_chunk import to_document
from st2common.output.mongo_chunks import MongoChunks


class Succession:
    def __init__(self, chunks: MongoChunks) -> None:
        self._chunks = chunks

    def resume(self, execution_id: str, attempt: int) -> Position:
        lasts = {stream: self._own_last(execution_id, stream, attempt) for stream in Stream}
        lower = min(Stream, key=lambda stream: _seq(lasts[stream]))
        top = max(_seq(last) for last in lasts.values())
        lasts[lower] = self._fill(execution_id, lower, lasts[lower], self._holes(execution_id, top))
        return _position(lasts)

    def take_over(self, execution_id: str, attempt: int) -> Position:
        # The fences come first and get their place in the order afterwards, when no earlier attempt can add anything:
        # until then their seq is negative, where no reader looks.
        for stream in Stream:
            self._fence(execution_id, stream, attempt)
        while not self._order(execution_id, attempt):
            pass
        return _position({stream: self._own_last(execution_id, stream, attempt) for stream in Stream})

    def _holes(self, execution_id: str, top: int) -> list[int]:
        """Numbers up to ``top`` that a half-done append left out. It wrote at most MAX_BATCH chunks."""
        # Twice as far: fences have been numbered since.
        bottom = max(0, top - 2 * MAX_BATCH)
        used = self._chunks.used_numbers(execution_id, bottom, top)
        return [number for number in range(bottom + 1, top) if number not in used]

    def _fill(self, execution_id: str, stream: Stream, last: Chunk | None, numbers: list[int]) -> Chunk | None:
        """Give each of ``numbers`` an empty chunk at the end of ``stream``; the stream's last chunk then.

        The stream is the one that the append had not finished, so that ``seq`` still grows with ``stream_seq``.
        """
        for number in numbers:
            last = _empty(execution_id, stream, last, number, last.attempt if last else 1)
            self._chunks.insert(stream, [to_document(last)])
        return last

    def _fence(self, execution_id: str, stream: Stream, attempt: int) -> None:
        """See that no earlier attempt can add to the stream any more."""
        while True:
            last = self._chunks.last(execution_id, stream)
            if last and last.attempt == attempt:
                return
            if (last and last.attempt > attempt) or self._chunks.end(execution_id):
                raise Fenced
            # A new attempt reads a source of its own, from its beginning.
            fence = replace(_empty(execution_id, stream, last, -attempt, attempt), source=0, covered=0)
            with contextlib.suppress(Fenced):  # the earlier attempt wrote one more meanwhile: look again
                self._chunks.insert(stream, [to_document(fence)])
                return

    def _order(self, execution_id: str, attempt: int) -> bool:
        """Give all fences their numbers, and fill the holes; False when another attempt did so at the same time.

        An earlier attempt may have died, or been paused, before it had numbered its own. The oldest fence comes first:
        then the earlier attempt and we choose the same numbers.
        """
        unordered: dict[Stream, list[Chunk]] = {}
        before: dict[Stream, Chunk | None] = {}
        for stream in Stream:
            before[stream], unordered[stream] = self._tail(execution_id, stream, attempt)
        lower, upper = sorted(Stream, key=lambda stream: _seq(before[stream]))
        top = _seq(before[upper])
        numbers = self._holes(execution_id, top)
        fences = sorted((fence for each in (lower, upper) for fence in unordered[each]), key=lambda fence: -fence.seq)
        for fence in fences:
            number = numbers.pop(0) if numbers and fence.stream is lower else (top := top + 1)
            if not self._chunks.renumber(fence, number):
                return False
        if numbers:
            self._fill(execution_id, lower, self._own_last(execution_id, lower, attempt), numbers)
        return True

    def _own_last(self, execution_id: str, stream: Stream, attempt: int) -> Chunk | None:
        """The last chunk of a stream. Whoever went on from one of a later attempt would write behind its fence."""
        last = self._chunks.last(execution_id, stream)
        if last and last.attempt > attempt:
            raise Fenced
        return last

    def _tail(self, execution_id: str, stream: Stream, attempt: int) -> tuple[Chunk | None, list[Chunk]]:
        """The last chunk of a stream that has its number, and the fences behind it that have none yet."""
        last = self._own_last(execution_id, stream, attempt)
        fences: list[Chunk] = []
        while last and last.seq < 0:
            fences.insert(0, last)
            earlier = self._chunks.read_stream(execution_id, stream, last.stream_seq - 2) if last.stream_seq > 1 else []
            last = earlier[0] if earlier else None
        return last, fences


def _seq(chunk: Chunk | None) -> int:
    return chunk.seq if chunk else 0


def _position(lasts: Mapping[Stream, Chunk | None]) -> Position:
    return Position(
        seq=max(_seq(last) for last in lasts.values()),
        stdout=StreamPosition.after(lasts[Stream.STDOUT]),
        stderr=StreamPosition.after(lasts[Stream.STDERR]),
    )


def _empty(execution_id: str, stream: Stream, last: Chunk | None, seq: int, attempt: int) -> Chunk:
    """A chunk without bytes behind ``last``."""
    position = StreamPosition.after(last)
    return Chunk(
        execution_id=execution_id,
        stream=stream,
        stream_seq=position.chunks + 1,
        seq=seq,
        offset=position.bytes,
        data=b"",
        runs=(),
        attempt=attempt,
        line=position.lines,
        source=position.source,
        covered=position.covered,
        masked=position.masked,
        unfinished=position.unfinished,
    )
