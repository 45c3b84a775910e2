"""The documents of output logs: those of chunks, in the collection of their stream, and the end records.

A chunk's document is that of :mod:`~st2common.output.mongo_chunk`. The end record (it alone has a ``status``) lies in
stdout's collection under the execution's own ``_id``, so that there is at most one and it is found without an index.
Numbers are dense, so readers ask for bounded ranges.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from st2common.errors import Fenced
from st2common.models.connection import DUPLICATE_KEY, Document
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import PAGE_CHUNKS, LogUnavailable
from st2common.output.mongo_chunk import require_known, to_chunk

STDOUT_COLLECTION = "action_execution_stdout_output_d_b"
STDERR_COLLECTION = "action_execution_stderr_output_d_b"

INDEXES = [
    IndexModel([("execution_id", ASCENDING), ("stream_seq", ASCENDING)], name="execution_stream_seq", unique=True),
    IndexModel([("execution_id", ASCENDING), ("seq", ASCENDING)], name="execution_seq", unique=True),
]

# Chunks: the deletion of a whole log can take longer than a connection waits for its answer.
_DELETED_AT_ONCE = 1000


@contextlib.contextmanager
def available() -> Iterator[None]:
    """Turn the driver's errors into those of the port, :class:`~st2common.output.log.OutputLog`."""
    try:
        yield
    except (BulkWriteError, DuplicateKeyError):
        raise
    except PyMongoError as error:
        raise LogUnavailable(str(error)) from error


class MongoChunks:
    """Every method may raise :class:`~st2common.output.log.LogUnavailable`."""

    def __init__(self, database: Database[Document]) -> None:
        self._collections: dict[Stream, Collection[Document]] = {
            Stream.STDOUT: database[STDOUT_COLLECTION],
            Stream.STDERR: database[STDERR_COLLECTION],
        }

    def ensure_indexes(self) -> None:
        for collection in self._collections.values():
            collection.create_indexes(INDEXES)

    def insert(self, stream: Stream, documents: list[Document]) -> bool:
        """Store what is not there yet; whether none of it was.

        Raises:
            Fenced: one of the places is taken by another attempt.
        """
        fresh = True
        while documents:
            try:
                with available():
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
        with available():
            found = self._collections[stream].find_one(place, {"attempt": 1})
        if not found or found["attempt"] != document["attempt"]:
            raise Fenced

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        found = [chunk for stream in Stream for chunk in self._find(stream, execution_id, {"seq": _page(after)})]
        return _dense(found, after, lambda chunk: chunk.seq)

    def read_stream(self, execution_id: str, stream: Stream, after: int) -> list[Chunk]:
        found = self._find(stream, execution_id, {"stream_seq": _page(after)})
        return _dense(found, after, lambda chunk: chunk.stream_seq)

    def last(self, execution_id: str, stream: Stream) -> Chunk | None:
        with available():
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
        with available():
            record = self._collections[Stream.STDOUT].find_one({"_id": ObjectId(execution_id)})
        if record is None:
            return None
        require_known(record)
        return End.from_wire(execution_id, record)

    def used_numbers(self, execution_id: str, after: int, up_to: int) -> set[int]:
        """Which ``seq`` of ``after`` < seq <= ``up_to`` are in use, in either stream."""
        wanted = {"execution_id": execution_id, "seq": {"$gt": after, "$lte": up_to}}
        with available():
            return {
                document["seq"]
                for collection in self._collections.values()
                for document in collection.find(wanted, {"seq": 1})
            }

    def renumber(self, chunk: Chunk, seq: int) -> bool:
        """Give a chunk another ``seq``; False when it has not the one that it had any more."""
        place = {"execution_id": chunk.execution_id, "stream_seq": chunk.stream_seq, "seq": chunk.seq}
        with available():
            numbered = self._collections[chunk.stream].update_one(place, {"$set": {"seq": seq}})
        return bool(numbered.matched_count)

    def delete(self, execution_ids: Sequence[str], limit: int) -> int:
        records = {"_id": {"$in": [ObjectId(each) for each in execution_ids[:limit]]}}
        with available():
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
        with available():
            found = self._collections[stream].find({"execution_id": execution_id, **numbers})
            return [to_chunk(stream, document) for document in found if "status" not in document]


def _page(after: int) -> Document:
    return {"$gt": after, "$lte": after + PAGE_CHUNKS}


def _dense(chunks: list[Chunk], after: int, number: Callable[[Chunk], int]) -> list[Chunk]:
    """In order, up to the first hole: what lies behind one is not for readers yet."""
    chunks.sort(key=number)
    return [chunk for expected, chunk in enumerate(chunks, after + 1) if number(chunk) == expected]
