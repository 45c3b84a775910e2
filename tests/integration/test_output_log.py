"""What every output log promises, checked on each implementation; and what only a database can suffer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import Binary, ObjectId
from pymongo.database import Database

from st2common.errors import Fenced
from st2common.output import mongo_chunk
from st2common.output.bells import BellTower
from st2common.output.chunk import Stream
from st2common.output.log import PAGE_CHUNKS, LaterForm, LogUnavailable, OutputLog, StreamPosition
from st2common.output.memory_log import MemoryOutputLog
from st2common.output.mongo_chunks import STDOUT_COLLECTION, MongoChunks
from st2common.output.mongo_log import MongoOutputLog
from st2common.output.reader import Reader
from st2common.transport.memory import MemoryTransport
from tests.output_logs import chunk, contents, end, everything, new_execution

OUT, ERR = Stream.STDOUT, Stream.STDERR


@pytest.fixture(params=["memory", "mongo"])
def log(request: pytest.FixtureRequest) -> OutputLog:
    if request.param == "memory":
        return MemoryOutputLog()
    mongo = MongoOutputLog(request.getfixturevalue("database"))
    mongo.ensure_indexes()
    return mongo


@pytest.fixture
def mongo_log(database: Database[dict[str, Any]]) -> MongoOutputLog:
    log = MongoOutputLog(database)
    log.ensure_indexes()
    return log


def test_chunks_come_back_as_they_were(log: OutputLog) -> None:
    execution = new_execution()
    chunks = [
        chunk(execution, 1, 1, b"\x00\xff raw \xe2"),
        chunk(execution, 2, 1, b"err\n", ERR),
        replace(chunk(execution, 3, 2), covered=3, masked=2, unfinished=True),
    ]
    log.append(chunks)
    assert log.read(execution, 0) == chunks
    assert log.read(execution, 2) == chunks[2:]
    assert log.read(execution, 3) == []
    assert log.read_stream(execution, OUT, 0) == [chunks[0], chunks[2]]
    assert log.read_stream(execution, ERR, 0) == [chunks[1]]
    assert log.read_stream(execution, OUT, 1) == [chunks[2]]
    assert log.last(execution, OUT) == chunks[2]
    assert log.last(execution, ERR) == chunks[1]
    assert log.read(new_execution(), 0) == []
    assert log.last(new_execution(), OUT) is None


def test_pages_are_bounded_and_add_up(log: OutputLog) -> None:
    execution = new_execution()
    chunks = [chunk(execution, seq, seq) for seq in range(1, 3 * PAGE_CHUNKS)]
    log.append(chunks)
    assert len(log.read(execution, 0)) == PAGE_CHUNKS
    assert everything(log, execution) == chunks
    assert log.last(execution, OUT) == chunks[-1]


def test_repeating_an_append_changes_nothing(log: OutputLog) -> None:
    execution = new_execution()
    chunks = [chunk(execution, 1, 1), chunk(execution, 2, 1, stream=ERR), chunk(execution, 3, 2)]
    log.append(chunks[:2])
    log.append(chunks)
    log.append(chunks)
    assert everything(log, execution) == chunks


def test_the_end_is_there_once(log: OutputLog) -> None:
    execution = new_execution()
    assert log.end(execution) is None
    last = [chunk(execution, 1, 1), chunk(execution, 2, 1, stream=ERR)]
    log.finish(end(execution, last), last)
    log.finish(end(execution, last), last)
    assert log.end(execution) == end(execution, last)
    assert everything(log, execution) == last
    with pytest.raises(Fenced):
        log.finish(end(execution, last, attempt=2))
    assert log.end(execution) == end(execution, last)


def test_an_attempt_that_was_fenced_does_not_come_back(log: OutputLog) -> None:
    execution = new_execution()
    log.append([chunk(execution, 1, 1)])
    log.take_over(execution, 2)
    with pytest.raises(Fenced):
        log.resume(execution, 1)


def test_an_attempt_that_ended_its_log_may_come_back_to_it(log: OutputLog) -> None:
    """It died before it could change the execution."""
    execution = new_execution()
    position = log.take_over(execution, 2)
    last = end(execution, everything(log, execution), attempt=2)
    log.finish(last)
    assert log.take_over(execution, 2) == position
    log.finish(last)
    with pytest.raises(Fenced):
        log.take_over(execution, 3)


def test_a_later_attempt_fences_the_earlier_one(log: OutputLog) -> None:
    execution = new_execution()
    written = [chunk(execution, 1, 1), chunk(execution, 2, 1, stream=ERR)]
    log.append(written)
    position = log.take_over(execution, 2)
    with pytest.raises(Fenced):
        log.append([chunk(execution, 3, 2)])
    with pytest.raises(Fenced):
        log.append([chunk(execution, 3, 2, stream=ERR)])
    with pytest.raises(Fenced):
        log.finish(end(execution, written))
    assert log.take_over(execution, 2) == position
    with pytest.raises(Fenced):
        log.take_over(execution, 1)
    last = position.stdout
    following = replace(
        chunk(execution, position.seq + 1, last.chunks + 1, b"second\n", attempt=2), offset=last.bytes, line=last.lines
    )
    log.append([following])
    assert contents(everything(log, execution)) == b"line\nline\nsecond\n"
    assert position.of(OUT).bytes == 5


def test_an_ended_log_is_nobodys(log: OutputLog) -> None:
    execution = new_execution()
    log.finish(end(execution, [chunk(execution, 1, 1)]), [chunk(execution, 1, 1)])
    assert log.last(execution, OUT) == chunk(execution, 1, 1)
    with pytest.raises(Fenced):
        log.take_over(execution, 2)


def test_taking_over_an_empty_log(log: OutputLog) -> None:
    execution = new_execution()
    position = log.take_over(execution, 3)
    log.append([chunk(execution, position.seq + 1, position.stdout.chunks + 1, attempt=3)])
    assert contents(everything(log, execution)) == b"line\n"


def test_resume_tells_where_each_stream_stands(log: OutputLog) -> None:
    execution = new_execution()
    log.append([chunk(execution, 1, 1), chunk(execution, 2, 1, b"e\n", ERR), chunk(execution, 3, 2)])
    position = log.resume(execution, 1)
    assert position.seq == 3
    assert position.stdout == StreamPosition(chunks=2, bytes=10, lines=2, source=10)
    assert position.stderr == StreamPosition(chunks=1, bytes=2, lines=1, source=2)


def test_deleting_takes_whole_logs(log: OutputLog) -> None:
    first, second = new_execution(), new_execution()
    for execution in (first, second):
        chunks = [chunk(execution, 1, 1), chunk(execution, 2, 1, stream=ERR)]
        log.finish(end(execution, chunks), chunks)
    assert log.delete([first], 100) == 3
    assert everything(log, first) == []
    assert log.end(first) is None
    assert len(everything(log, second)) == 2
    assert log.delete([first], 100) == 0


def test_a_log_that_is_half_removed_is_a_beginning_without_an_end(log: OutputLog) -> None:
    execution, other = new_execution(), new_execution()
    chunks = [chunk(execution, number, number) for number in range(1, 8)]
    log.finish(end(execution, chunks), chunks)
    for left in (5, 2, 0):  # the end counts as one
        assert log.delete([other, execution], 3) == (3 if left else 2)
        assert log.end(execution) is None
        assert everything(log, execution) == chunks[:left]
    assert log.delete([other, execution], 3) == 0


@pytest.mark.parametrize("stored", range(1, 6))
def test_a_half_done_append_is_made_whole(mongo_log: MongoOutputLog, stored: int) -> None:
    """A crash left a batch unfinished: readers stop at the hole until the writer comes back and closes it."""
    execution = new_execution()
    before = [chunk(execution, 1, 1), chunk(execution, 2, 1, stream=ERR)]
    mongo_log.append(before)
    batch = [
        chunk(execution, 3, 2, stream=ERR),
        chunk(execution, 4, 2),
        chunk(execution, 5, 3, stream=ERR),
        chunk(execution, 6, 3),
        chunk(execution, 7, 4, stream=ERR),
    ]
    in_order_of_writing = [c for c in batch if c.stream is OUT] + [c for c in batch if c.stream is ERR]
    mongo_log.append(in_order_of_writing[:stored])
    visible = everything(mongo_log, execution)
    assert [c.seq for c in visible] == list(range(1, len(visible) + 1))
    position = mongo_log.resume(execution, 1)
    after = everything(mongo_log, execution)
    assert [c.seq for c in after] == list(range(1, position.seq + 1))
    for stream in Stream:
        numbers = [c.stream_seq for c in after if c.stream is stream]
        assert numbers == list(range(1, position.of(stream).chunks + 1))
        assert contents(after, stream) == contents([*before, *in_order_of_writing[:stored]], stream)
    assert mongo_log.resume(execution, 1) == position


@pytest.mark.parametrize("stored", range(1, 6))
def test_taking_over_a_half_done_append(mongo_log: MongoOutputLog, stored: int) -> None:
    execution = new_execution()
    batch = [
        chunk(execution, 2, 1),
        chunk(execution, 4, 2),
        chunk(execution, 1, 1, stream=ERR),
        chunk(execution, 3, 2, stream=ERR),
        chunk(execution, 5, 3, stream=ERR),
    ]
    mongo_log.append(batch[:stored])
    position = mongo_log.take_over(execution, 2)
    after = everything(mongo_log, execution)
    assert [c.seq for c in after] == list(range(1, position.seq + 1))
    assert contents(after, OUT) == contents(batch[:stored], OUT)
    assert contents(after, ERR) == contents(batch[:stored], ERR)
    assert mongo_log.take_over(execution, 2) == position


@pytest.mark.parametrize("attempt", [2, 3])
@pytest.mark.parametrize("steps", range(4))
def test_a_takeover_that_was_cut_off_is_finished_by_the_next(
    mongo_log: MongoOutputLog, database: Database[dict[str, Any]], steps: int, attempt: int
) -> None:
    """However far the fences of a dead taker-over came."""
    execution = new_execution()
    mongo_log.append([chunk(execution, 1, 1), chunk(execution, 3, 2)])
    fences = [
        replace(chunk(execution, -2, 3, b"", attempt=2), runs=(), offset=10, line=2),
        replace(chunk(execution, -2, 1, b"", ERR, attempt=2), runs=()),
    ]
    mongo_log.append(fences[:steps])
    if steps == 3:
        MongoChunks(database).renumber(fences[1], 2)
    position = mongo_log.take_over(execution, attempt)
    after = everything(mongo_log, execution)
    assert [c.seq for c in after] == list(range(1, position.seq + 1))
    assert contents(after) == b"line\nline\n"
    assert mongo_log.take_over(execution, attempt) == position


# Documents as each release stored them: this one reads its own form and the one before.
STORED_FORMS = {
    0: {
        "execution_id": "65f0a1b2c3d4e5f601234567",
        "stream_seq": 1,
        "seq": 1,
        "offset": 0,
        "data": Binary(b"one\ntwo"),
        "runs": Binary(bytes.fromhex("0400000000105e5f000000000300000001105e5f00000000")),
        "attempt": 1,
        "line": 0,
        "source": 7,
        "covered": 0,
        "masked": 0,
        "unfinished": True,
    },
}
STORED_FORMS[1] = {"v": 1, **STORED_FORMS[0]}


@pytest.mark.parametrize("version", STORED_FORMS)
def test_stored_forms_are_read(mongo_log: MongoOutputLog, database: Database[dict[str, Any]], version: int) -> None:
    document = STORED_FORMS[version]
    database[STDOUT_COLLECTION].insert_one(dict(document))
    [read] = mongo_log.read(str(document["execution_id"]), 0)
    assert (read.data, read.stream, read.stream_seq, read.unfinished) == (b"one\ntwo", OUT, 1, True)
    assert [(run.length, run.time_us) for run in read.runs] == [(4, 0x5F5E1000), (3, 0x5F5E1001)]
    assert mongo_log.resume(read.execution_id, 1).stdout.bytes == 7


def test_the_newest_form_is_what_is_stored(mongo_log: MongoOutputLog, database: Database[dict[str, Any]]) -> None:
    execution = new_execution()
    mongo_log.append([chunk(execution, 1, 1)])
    stored = database[STDOUT_COLLECTION].find_one({"execution_id": execution}, {"_id": 0})
    assert stored is not None
    assert stored["v"] == max(STORED_FORMS) == mongo_chunk.VERSION
    assert stored.keys() == STORED_FORMS[mongo_chunk.VERSION].keys()


def test_output_in_a_later_form_is_waited_for(mongo_log: MongoOutputLog, database: Database[dict[str, Any]]) -> None:
    execution = new_execution()
    chunks = [chunk(execution, 1, 1), chunk(execution, 2, 2)]
    mongo_log.append(chunks)
    mongo_log.finish(end(execution, chunks))
    later = {"$set": {"v": mongo_chunk.VERSION + 1}}
    database[STDOUT_COLLECTION].update_one({"execution_id": execution, "stream_seq": 2}, later)
    reader = Reader(mongo_log, BellTower(MemoryTransport()), execution)
    with pytest.raises(LaterForm, match="upgrade this host"):
        list(reader.snapshot())
    database[STDOUT_COLLECTION].update_many({"execution_id": execution}, {"$set": {"v": mongo_chunk.VERSION}})
    assert list(reader.snapshot()) == [*chunks, end(execution, chunks)]
    database[STDOUT_COLLECTION].update_one({"_id": ObjectId(execution)}, later)
    with pytest.raises(LaterForm, match="upgrade this host"):
        mongo_log.end(execution)


def test_a_database_that_is_away_is_told_apart() -> None:
    from st2common.models import connection

    away = connection.connect("mongodb://127.0.0.1:1", "nowhere", connection_timeout_ms=50)
    try:
        log = MongoOutputLog(away)
        with pytest.raises(LogUnavailable):
            log.read(new_execution(), 0)
        with pytest.raises(LogUnavailable):
            log.append([chunk(new_execution(), 1, 1)])
    finally:
        connection.disconnect()
