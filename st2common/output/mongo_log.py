"""The output log in MongoDB: one document per chunk, in the collection of its stream.

A chunk's document is that of :mod:`~st2common.output.mongo_chunk`. The end record (it alone has a ``status``) lies in
stdout's collection under the execution's own ``_id``, so that there is at most one and it is found without an index.
Numbers are dense, so readers ask for bounded ranges.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from st2common.errors import Fenced
from st2common.models.connection import DUPLICATE_KEY, Document
from st2common.models.executions import Executions
from st2common.models.sensor_runs import SensorRuns
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import MAX_BATCH, PAGE_CHUNKS, LogUnavailable, Position, StreamPosition
from st2common.output.mongo_chunk import VERSION, require_known, to_chunk, to_document

STDOUT_COLLECTION = "action_execution_stdout_output_d_b"
STDERR_COLLECTION = "action_execution_stderr_output_d_b"

INDEXES = [
    IndexModel([("execution_id", ASCENDING), ("stream_seq", ASCENDING)], name="execution_stream_seq", unique=True),
    IndexModel([("execution_id", ASCENDING), ("seq", ASCENDING)], name="execution_seq", unique=True),
]

# Chunks: the deletion of a whole log can take longer than a connection waits for its answer.
_DELETED_AT_ONCE = 1000


@contextlib.contextmanager
def _available() -> Iterator[None]:
    """Turn the driver's errors into the port's."""
    try:
        yield
    except (BulkWriteError, DuplicateKeyError):
        raise
    except PyMongoError as error:
        raise LogUnavailable(str(error)) from error


def final_status(executions: Executions) -> Callable[[str], str | None]:
    """How executions ended, as readers ask for it: the status of one that is over, else None.

    Raises LogUnavailable when called while the database does not answer.
    """

    def of(execution_id: str) -> str | None:
        with _available():
            return executions.final_status(execution_id)

    return of


def run_status(runs: SensorRuns) -> Callable[[str], str | None]:
    """As :func:`final_status`, of the runs of sensors."""

    def of(run_id: str) -> str | None:
        with _available():
            return runs.final_status(run_id)

    return of


class MongoOutputLog:
    def __init__(self, database: Database[Document]) -> None:
        self._collections: dict[Stream, Collection[Document]] = {
            Stream.STDOUT: database[STDOUT_COLLECTION],
            Stream.STDERR: database[STDERR_COLLECTION],
        }

    def ensure_indexes(self) -> None:
        for collection in self._collections.values():
            collection.create_indexes(INDEXES)

    def append(self, chunks: Sequence[Chunk]) -> None:
        for stream in Stream:
            self._insert(stream, [to_document(chunk) for chunk in chunks if chunk.stream is stream])

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
        self._insert(Stream.STDERR, [to_document(chunk) for chunk in chunks if chunk.stream is Stream.STDERR])
        last = [*(to_document(chunk) for chunk in chunks if chunk.stream is Stream.STDOUT), record]
        return end if self._insert(Stream.STDOUT, last) else (self.end(end.execution_id) or end)

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        found = [chunk for stream in Stream for chunk in self._find(stream, execution_id, {"seq": _page(after)})]
        return _dense(found, after, lambda chunk: chunk.seq)

    def read_stream(self, execution_id: str, stream: Stream, after: int) -> list[Chunk]:
        found = self._find(stream, execution_id, {"stream_seq": _page(after)})
        return _dense(found, after, lambda chunk: chunk.stream_seq)

    def last(self, execution_id: str, stream: Stream) -> Chunk | None:
        with _available():
            number = self._highest(execution_id, stream)
        # The highest number may be that of the end record.
        for each in (number, number - 1):
            if each > 0 and (found := self.read_stream(execution_id, stream, each - 1)):
                return found[0]
        return None

    def _has(self, execution_id: str, stream: Stream, number: int) -> bool:
        wanted = {"execution_id": execution_id, "stream_seq": number}
        return self._collections[stream].find_one(wanted, {"_id": 1}) is not None

    def _highest(self, execution_id: str, stream: Stream) -> int:
        """The highest number of a stream, 0 where there is none.

        Sorting by the newest would be one query, but a server may read the whole log for it. The numbers are dense:
        double until there is nothing, then halve.
        """
        high = 1
        while self._has(execution_id, stream, high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._has(execution_id, stream, middle) else (low, middle)
        return low

    def end(self, execution_id: str) -> End | None:
        with _available():
            record = self._collections[Stream.STDOUT].find_one({"_id": ObjectId(execution_id)})
        if record is None:
            return None
        require_known(record)
        return End.from_wire(execution_id, record)

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

    def delete(self, execution_ids: Sequence[str], limit: int) -> int:
        records = {"_id": {"$in": [ObjectId(each) for each in execution_ids[:limit]]}}
        with _available():
            removed = self._collections[Stream.STDOUT].delete_many(records).deleted_count
            for execution_id in execution_ids:
                for stream in Stream:
                    removed += self._shorten(execution_id, stream, limit - removed)
        return removed

    def _shorten(self, execution_id: str, stream: Stream, count: int) -> int:
        """Remove the last ``count`` chunks of a stream, or as many as it has; how many.

        By their numbers: a server may read all that matches a condition, whatever the limit, and the embedded one takes
        seconds for a list of a thousand ids.
        """
        if count < 1:
            return 0
        highest = top = self._highest(execution_id, stream)
        lowest = max(0, highest - count)
        while top > lowest:
            numbers = {"$gt": max(lowest, top - _DELETED_AT_ONCE), "$lte": top}
            self._collections[stream].delete_many({"execution_id": execution_id, "stream_seq": numbers})
            top = numbers["$gt"]
        return highest - lowest

    def _find(self, stream: Stream, execution_id: str, numbers: Document) -> list[Chunk]:
        with _available():
            found = self._collections[stream].find({"execution_id": execution_id, **numbers})
            return [to_chunk(stream, document) for document in found if "status" not in document]

    def _insert(self, stream: Stream, documents: list[Document]) -> bool:
        """Store what is not there yet; whether none of it was.

        Raises:
            Fenced: one of the places is taken by another attempt.
        """
        fresh = True
        while documents:
            try:
                with _available():
                    self._collections[stream].insert_many(documents, ordered=True)
                break
            except BulkWriteError as error:
                failure = error.details["writeErrors"][0]
                if failure["code"] != DUPLICATE_KEY:
                    raise LogUnavailable(str(failure["errmsg"])) from error
                self._must_be_ours(stream, documents[failure["index"]])
                documents, fresh = documents[failure["index"] + 1 :], False
        return fresh

    def _must_be_ours(self, stream: Stream, document: Document) -> None:
        """A number that is in use is an acknowledgement if the same attempt used it: the answer had been lost."""
        place = {"execution_id": document["execution_id"], "stream_seq": document["stream_seq"]}
        with _available():
            found = self._collections[stream].find_one(place, {"attempt": 1})
        if not found or found["attempt"] != document["attempt"]:
            raise Fenced

    def _holes(self, execution_id: str, top: int) -> list[int]:
        """Numbers up to ``top`` that a half-done append left out. It wrote at most MAX_BATCH chunks."""
        # Twice as far: fences have been numbered since.
        bottom = max(0, top - 2 * MAX_BATCH)
        recent = {"execution_id": execution_id, "seq": {"$gt": bottom, "$lte": top}}
        with _available():
            used = {
                document["seq"]
                for collection in self._collections.values()
                for document in collection.find(recent, {"seq": 1})
            }
        return [number for number in range(bottom + 1, top) if number not in used]

    def _fill(self, execution_id: str, stream: Stream, last: Chunk | None, numbers: list[int]) -> Chunk | None:
        """Give each of ``numbers`` an empty chunk at the end of ``stream``; the stream's last chunk then.

        The stream is the one that the append had not finished, so that ``seq`` still grows with ``stream_seq``.
        """
        for number in numbers:
            last = _empty(execution_id, stream, last, number, last.attempt if last else 1)
            self._insert(stream, [to_document(last)])
        return last

    def _fence(self, execution_id: str, stream: Stream, attempt: int) -> None:
        """See that no earlier attempt can add to the stream any more."""
        while True:
            last = self.last(execution_id, stream)
            if last and last.attempt == attempt:
                return
            if (last and last.attempt > attempt) or self.end(execution_id):
                raise Fenced
            # A new attempt reads a source of its own, from its beginning.
            fence = replace(_empty(execution_id, stream, last, -attempt, attempt), source=0, covered=0)
            with contextlib.suppress(Fenced):  # the earlier attempt wrote one more meanwhile: look again
                self._insert(stream, [to_document(fence)])
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
            if not self._number(fence, number):
                return False
        if numbers:
            self._fill(execution_id, lower, self._own_last(execution_id, lower, attempt), numbers)
        return True

    def _own_last(self, execution_id: str, stream: Stream, attempt: int) -> Chunk | None:
        """The last chunk of a stream. Whoever went on from one of a later attempt would write behind its fence."""
        last = self.last(execution_id, stream)
        if last and last.attempt > attempt:
            raise Fenced
        return last

    def _tail(self, execution_id: str, stream: Stream, attempt: int) -> tuple[Chunk | None, list[Chunk]]:
        """The last chunk of a stream that has its number, and the fences behind it that have none yet."""
        last = self._own_last(execution_id, stream, attempt)
        fences: list[Chunk] = []
        while last and last.seq < 0:
            fences.insert(0, last)
            earlier = self.read_stream(execution_id, stream, last.stream_seq - 2) if last.stream_seq > 1 else []
            last = earlier[0] if earlier else None
        return last, fences

    def _number(self, fence: Chunk, seq: int) -> bool:
        """Whether the fence has this number now."""
        place = {"execution_id": fence.execution_id, "stream_seq": fence.stream_seq, "seq": fence.seq}
        with _available():
            numbered = self._collections[fence.stream].update_one(place, {"$set": {"seq": seq}})
        return bool(numbered.matched_count)


def _page(after: int) -> Document:
    return {"$gt": after, "$lte": after + PAGE_CHUNKS}


def _seq(chunk: Chunk | None) -> int:
    return chunk.seq if chunk else 0


def _position(lasts: Mapping[Stream, Chunk | None]) -> Position:
    return Position(
        seq=max(_seq(last) for last in lasts.values()),
        stdout=StreamPosition.after(lasts[Stream.STDOUT]),
        stderr=StreamPosition.after(lasts[Stream.STDERR]),
    )


def _dense(chunks: list[Chunk], after: int, number: Callable[[Chunk], int]) -> list[Chunk]:
    """In order, up to the first hole: what lies behind one is not for readers yet."""
    chunks.sort(key=number)
    return [chunk for expected, chunk in enumerate(chunks, after + 1) if number(chunk) == expected]


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
