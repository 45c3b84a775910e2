"""The output log in MongoDB: one document per chunk, in the collection of its stream, and one for the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bson import ObjectId
from pymongo.database import Database

from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.sensor_runs import SensorRuns
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import Position
from st2common.output.mongo_chunk import VERSION, to_document
from st2common.output.mongo_chunks import MongoChunks, available
from st2common.output.mongo_succession import Succession


def final_status(executions: Executions) -> Callable[[str], str | None]:
    """How executions ended, as readers ask for it: the status of one that is over, else None.

    Raises LogUnavailable when called while the database does not answer.
    """

    def of(execution_id: str) -> str | None:
        with available():
            return executions.final_status(execution_id)

    return of


def run_status(runs: SensorRuns) -> Callable[[str], str | None]:
    """As :func:`final_status`, of the runs of sensors."""

    def of(run_id: str) -> str | None:
        with available():
            return runs.final_status(run_id)

    return of


class MongoOutputLog:
    def __init__(self, database: Database[Document]) -> None:
        self._chunks = MongoChunks(database)
        self._succession = Succession(self._chunks)

    def ensure_indexes(self) -> None:
        self._chunks.ensure_indexes()

    def append(self, chunks: Sequence[Chunk]) -> None:
        for stream in Stream:
            self._chunks.insert(stream, [to_document(chunk) for chunk in chunks if chunk.stream is stream])

    def finish(self, end: End, chunks: Sequence[Chunk] = ()) -> End:
        # The record must not be there before the last chunks, and goes out in one write with stdout's.
        record = {
            "_id": ObjectId(end.execution_id),
            "v": VERSION,
            "execution_id": end.execution_id,
            # The place of stdout's next chunk: a writer that has been fenced finds the fence there.
            "stream_seq": end.stdout.chunks + 1,
            **end.to_wire(),
        }
        self._chunks.insert(Stream.STDERR, [to_document(chunk) for chunk in chunks if chunk.stream is Stream.STDERR])
        last = [*(to_document(chunk) for chunk in chunks if chunk.stream is Stream.STDOUT), record]
        return end if self._chunks.insert(Stream.STDOUT, last) else (self.end(end.execution_id) or end)

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        return self._chunks.read(execution_id, after)

    def read_stream(self, execution_id: str, stream: Stream, after: int) -> list[Chunk]:
        return self._chunks.read_stream(execution_id, stream, after)

    def last(self, execution_id: str, stream: Stream) -> Chunk | None:
        return self._chunks.last(execution_id, stream)

    def end(self, execution_id: str) -> End | None:
        return self._chunks.end(execution_id)

    def resume(self, execution_id: str, attempt: int) -> Position:
        return self._succession.resume(execution_id, attempt)

    def take_over(self, execution_id: str, attempt: int) -> Position:
        return self._succession.take_over(execution_id, attempt)

    def delete(self, execution_ids: Sequence[str], limit: int) -> int:
        return self._chunks.delete(execution_ids, limit)
