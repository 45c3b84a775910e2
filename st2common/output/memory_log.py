"""The output log in memory: for unit tests and simulations."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from st2common.errors import Fenced
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import PAGE_CHUNKS, Position, StreamPosition


class MemoryOutputLog:
    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._chunks: dict[str, list[Chunk]] = defaultdict(list)
        self._ends: dict[str, End] = {}
        #: The latest attempt that took a log over.
        self._attempts: dict[str, int] = defaultdict(int)

    def append(self, chunks: Sequence[Chunk]) -> None:
        with self._lock:
            for chunk in chunks:
                self._insert(chunk)

    def _insert(self, chunk: Chunk) -> None:
        log = self._chunks[chunk.execution_id]
        if chunk.seq <= len(log):
            if log[chunk.seq - 1].attempt != chunk.attempt:
                raise Fenced
            return
        if chunk.attempt < self._attempts[chunk.execution_id]:
            raise Fenced
        log.append(chunk)

    def finish(self, end: End, chunks: Sequence[Chunk] = ()) -> End:
        with self._lock:
            self.append(chunks)
            if end.attempt < self._attempts[end.execution_id]:
                raise Fenced
            stored = self._ends.setdefault(end.execution_id, end)
            if stored.attempt != end.attempt:
                raise Fenced
            return stored

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        with self._lock:
            return self._chunks[execution_id][after : after + PAGE_CHUNKS]

    def read_stream(self, execution_id: str, stream: Stream, after: int) -> list[Chunk]:
        return self._stream(execution_id, stream)[after : after + PAGE_CHUNKS]

    def _stream(self, execution_id: str, stream: Stream) -> list[Chunk]:
        with self._lock:
            return [chunk for chunk in self._chunks[execution_id] if chunk.stream is stream]

    def last(self, execution_id: str, stream: Stream) -> Chunk | None:
        chunks = self._stream(execution_id, stream)
        return chunks[-1] if chunks else None

    def end(self, execution_id: str) -> End | None:
        with self._lock:
            return self._ends.get(execution_id)

    def resume(self, execution_id: str, attempt: int) -> Position:
        with self._lock:
            if attempt < self._attempts[execution_id]:
                raise Fenced
            return Position(
                seq=len(self._chunks[execution_id]),
                stdout=self._stand(execution_id, Stream.STDOUT),
                stderr=self._stand(execution_id, Stream.STDERR),
            )

    def _stand(self, execution_id: str, stream: Stream) -> StreamPosition:
        last = self.last(execution_id, stream)
        position = StreamPosition.after(last)
        if last and last.attempt < self._attempts[execution_id]:
            # A new attempt reads a source of its own, from its beginning.
            return replace(position, source=0, covered=0)
        return position

    def take_over(self, execution_id: str, attempt: int) -> Position:
        with self._lock:
            end = self._ends.get(execution_id)
            if attempt < self._attempts[execution_id] or (end and end.attempt != attempt):
                raise Fenced
            self._attempts[execution_id] = attempt
            return self.resume(execution_id, attempt)

    def delete(self, execution_ids: Sequence[str], limit: int) -> int:
        removed = 0
        with self._lock:
            for execution_id in execution_ids[:limit]:
                removed += self._ends.pop(execution_id, None) is not None
            for execution_id in execution_ids:
                chunks = self._chunks.get(execution_id, [])
                taken = min(len(chunks), limit - removed)
                del chunks[len(chunks) - taken :]
                removed += taken
                if not chunks:
                    self._chunks.pop(execution_id, None)
        return removed
